/** What a task hands over with the snapshot of a barrier that may overtake. */
import { expect, it } from 'vitest';
import { FRAME_MORE } from '../network/ring.js';
import type { Operator, OperatorContext } from '../operators/operator.js';
import { CreditTransport, TaskRig } from './task.test.support.js';
import type { InFlightElements } from './task-options.js';

class Passing implements Operator {
  private readonly context: OperatorContext;

  constructor(context: OperatorContext) {
    this.context = context;
  }

  processElement(value: unknown, timestamp: number): void {
    this.context.output.collect(value, timestamp);
  }
}

const PIECE = { kind: FRAME_MORE, bytes: new Uint8Array([1, 2, 3]) };

it('hands over the pieces of a batch that lie before an aligned barrier', async () => {
  const rig = new TaskRig({ operators: [(context) => new Passing(context)] });
  let inFlight: Promise<InFlightElements> | undefined;
  rig.onBarrier = (_, elements) => {
    inFlight = elements;
  };
  rig.input.captureGathered = (frames) => void frames.push(PIECE);
  rig.input.records('a').control({ type: 'barrier', epoch: 1, completed: 0, overtakeInMs: 1_000 });
  rig.settle();
  expect(rig.arrived).toEqual(['a', 'barrier 1 announced']);
  expect(await inFlight).toEqual({ inputs: [{ channel: '', frames: [PIECE] }], outputs: [] });
});

it('announces how long a barrier has left that has waited behind a batch that was half sent', () => {
  const rig = new TaskRig({ operators: [(context) => new Passing(context)] });
  const [output] = rig.outputs as [CreditTransport];
  let isHalfSent = true;
  output.announce = (announcement) => !isHalfSent && CreditTransport.prototype.announce.call(output, announcement);
  rig.input.control({ type: 'barrier', epoch: 1, completed: 0, overtakeInMs: 1_000 });
  expect(rig.task.run()).toBe('ran');
  expect(rig.task.run()).toBe('blocked');
  expect(rig.arrived).toEqual([]);
  rig.clock.advanceBy(600);
  isHalfSent = false;
  rig.settle();
  expect(output.announcement).toEqual({ epoch: 1, completed: 0, overtakeInMs: 400 });
});
