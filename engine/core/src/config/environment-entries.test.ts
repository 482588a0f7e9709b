import { describe, expect, it } from 'vitest';
import { environmentEntries, optionVariable } from './environment-entries.js';
import type { OptionDeclaration } from './option-declaration.js';
import { OPTIONS } from './options.js';

describe('options in the environment', () => {
  it('have a variable each, from which the key is found', () => {
    const keys = Object.keys(OPTIONS);
    const rows = Object.fromEntries(Object.entries<OptionDeclaration>(OPTIONS).map(([key, { pending: _, ...row }]) => [key, row]));
    const environment = Object.fromEntries(keys.map((key) => [optionVariable(key), 'x']));
    expect(Object.keys(environment)).toHaveLength(keys.length);
    expect(
      environmentEntries(environment, rows)
        .map(({ key }) => key)
        .sort(),
    ).toEqual(keys.sort());
  });

  it.each([
    ['taskmanager.numberOfTaskSlots', 'MILLSTREAM_TASKMANAGER__NUMBEROFTASKSLOTS'],
    ['execution.checkpointing.min-pause', 'MILLSTREAM_EXECUTION__CHECKPOINTING__MIN_PAUSE'],
    ['scheduler-mode', 'MILLSTREAM_SCHEDULER_MODE'],
  ])('%s is %s', (key, variable) => {
    expect(optionVariable(key)).toBe(variable);
  });

  it('come with the variable as their origin', () => {
    expect(environmentEntries({ MILLSTREAM_PIPELINE__NAME: 'sums', HOME: '/' })).toEqual([
      { key: 'pipeline.name', input: 'sums', origin: { layer: 'environment', variable: 'MILLSTREAM_PIPELINE__NAME' } },
    ]);
  });

  it('are not what is empty, in small letters, or named without __', () => {
    expect(
      environmentEntries({
        MILLSTREAM_PIPELINE__NAME: '',
        MILLSTREAM_PARALLELISM__DEFAULT: undefined,
        millstream_parallelism__default: '2',
        MILLSTREAM_CONF_DIR: 'conf',
        MILLSTREAM_PARALLELISM_DEFAULT: 'tcp://10.0.0.1:80',
        OTHER_PARALLELISM__DEFAULT: '2',
      }),
    ).toEqual([]);
  });

  it('keep a variable that stands for no option, to be refused', () => {
    expect(environmentEntries({ MILLSTREAM_EXECUTION__CHECK_POINTING: '1' })).toMatchObject([{ key: 'execution.check-pointing' }]);
  });
});
