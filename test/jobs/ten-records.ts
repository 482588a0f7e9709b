/** Ten records. Parameter: factor. */
import { defineJob, type JobDefinition } from 'millstream';

const job: JobDefinition = defineJob(
  (env, params) => {
    const factor = Number(params.factor ?? 1);
    env
      .fromElements(1, 2, 3, 4, 5, 6, 7, 8, 9, 10)
      .map((value) => value * factor)
      .print();
  },
  { name: 'ten-records' },
);

export default job;
