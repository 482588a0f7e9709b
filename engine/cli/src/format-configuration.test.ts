import type { ConfigurationRow } from 'millstream/cluster';
import { describe, expect, it } from 'vitest';
import { formatConfiguration } from './format-configuration.js';

const ROW: ConfigurationRow = {
  key: 'rest.wait',
  value: 90_000,
  text: '90 s',
  origin: { layer: 'file', file: 'c.yaml', line: 3, column: 5 },
  type: 'duration',
  default: 60_000,
  defaultText: '1 min',
  scope: 'client',
  secret: false,
  doc: 'Waits.',
};
const UNSET: ConfigurationRow = {
  ...ROW,
  key: 'rest.name',
  type: 'text',
  value: undefined,
  text: undefined,
  default: undefined,
  defaultText: undefined,
  origin: { layer: 'default' },
};

describe('a configuration as text', () => {
  it('has file, meaning, origin, default and value', () => {
    expect(formatConfiguration([ROW], 'c.yaml', false)).toBe(
      '# Configuration file: c.yaml\n\n# Waits. (from c.yaml:3:5; default: 1 min)\nrest.wait: 90 s\n',
    );
  });

  it('leaves out what has no value, and says so, or comments it out', () => {
    expect(formatConfiguration([UNSET, ROW], undefined, false)).toMatch(/rest\.wait: 90 s\n\n# 1 more option has no value: --all\n$/);
    expect(formatConfiguration([UNSET], undefined, true)).toBe(
      '# Configuration file: none (--config <file>, or MILLSTREAM_CONF_DIR)\n\n# Waits.\n# rest.name:\n',
    );
  });

  it.each(['null', '5', 'a: b', '# x', '*star', ''])('quotes text that YAML would take for something else: %j', (text) => {
    expect(formatConfiguration([{ ...UNSET, value: text, text }], undefined, false)).toContain(`\nrest.name: ${JSON.stringify(text)}\n`);
  });

  it('comments a secret out, so that its mask is never taken for it', () => {
    const secret: ConfigurationRow = { ...UNSET, key: 'rest.token', value: '***', text: '***', origin: ROW.origin, secret: true };
    expect(formatConfiguration([secret], undefined, false)).toContain('# Waits. (from c.yaml:3:5; default: not set)\n# rest.token: ***\n');
  });
});
