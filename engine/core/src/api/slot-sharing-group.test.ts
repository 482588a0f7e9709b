import { describe, expect, it } from 'vitest';
import { buildDefinedJob, defineJob } from './define-job.js';
import { SlotSharingGroup } from './slot-sharing-group.js';

describe('SlotSharingGroup', () => {
  it('says what its slots take, or nothing', () => {
    const group = SlotSharingGroup.newBuilder('heavy').setCpuCores(0.5).setTaskHeapMemoryMB(100).build();
    expect(group).toMatchObject({ name: 'heavy', resources: { cpuCores: 0.5, heapBytes: 100 * 2 ** 20 } });
    expect(SlotSharingGroup.newBuilder('light').build().resources).toBeUndefined();
  });

  it('refuses halves and what is no size', () => {
    expect(() => SlotSharingGroup.newBuilder('x').setCpuCores(1).build()).toThrow(/Call setTaskHeapMemoryMB too/);
    expect(() => SlotSharingGroup.newBuilder('x').setTaskHeapMemoryMB(1).build()).toThrow(/Call setCpuCores too/);
    expect(() => SlotSharingGroup.newBuilder('x').setCpuCores(0)).toThrow(/it must be a number greater than 0/);
    expect(() => SlotSharingGroup.newBuilder('x').setTaskHeapMemoryMB(Number.NaN)).toThrow(/"x" NaN MB of heap/);
  });

  it('is in the plan with what its slots take', async () => {
    const heavy = (cores: number): SlotSharingGroup =>
      SlotSharingGroup.newBuilder('heavy').setCpuCores(cores).setTaskHeapMemoryMB(1).build();
    const build = async (define: Parameters<typeof defineJob>[0]): Promise<unknown> =>
      (await buildDefinedJob(defineJob(define), { mode: 'plan-only', parameters: {}, options: {} })).plan;
    expect(
      await build((env) => {
        env.registerSlotSharingGroup(heavy(2));
        env.fromElements(1).slotSharingGroup('heavy').print().slotSharingGroup(SlotSharingGroup.newBuilder('light').build());
      }),
    ).toMatchObject({
      slotResources: { heavy: { cpuCores: 2, heapBytes: 2 ** 20 } },
      nodes: [{ slotSharingGroup: 'heavy' }, { slotSharingGroup: 'light' }],
    });
    expect(await build((env) => void env.fromElements(1).print())).not.toHaveProperty('slotResources');
    await expect(build((env) => void env.registerSlotSharingGroup(heavy(2)).registerSlotSharingGroup(heavy(3)))).rejects.toThrow(
      /"heavy" with 3 cores and 1 MB of heap: it has 2 cores and 1 MB of heap already/,
    );
  });
});
