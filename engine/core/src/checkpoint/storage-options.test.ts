import { expect, it } from 'vitest';
import { resolveConfiguration } from '../config/resolve-configuration.js';
import { storageSettings } from './storage-options.js';

it('gives a store its options in its own words, without those that are not set', () => {
  const set = {
    's3.endpoint': 'http://localhost:9000',
    's3.path.style.access': 'true',
    's3.upload.part-size': '5 mb',
    's3.secret-key': 'x',
  };
  const entries = Object.entries(set).map(([key, input]) => ({
    key,
    input,
    origin: { layer: 'file', file: 'c.yaml', line: 1, column: 1 } as const,
  }));
  expect(storageSettings(resolveConfiguration(entries).options)).toEqual({
    s3: {
      endpoint: 'http://localhost:9000',
      pathStyleAccess: true,
      secretKey: 'x',
      partBytes: 5 * 1024 * 1024,
      requestTimeoutMs: 20_000,
      attempts: 6,
    },
  });
});
