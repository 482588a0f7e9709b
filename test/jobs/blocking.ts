/** A job whose third record blocks its slot for ever. */
import { defineJob, type JobDefinition } from 'millstream';

const job: JobDefinition = defineJob(
  (env) => {
    env
      .fromElements(1, 2, 3, 4)
      .map((value) => {
        if (value === 3) {
          console.error('blocked');
          Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0);
        }
        return value;
      })
      .print();
  },
  { name: 'blocking' },
);

export default job;
