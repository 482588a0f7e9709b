import { hostname } from 'node:os';
import { expect, it } from 'vitest';
import { publishedHost, publishedPort } from './published-address.js';

it('a process that listens on all interfaces is reached by the name of its machine, unless it is told another', () => {
  expect(publishedHost(undefined, '0.0.0.0')).toBe(hostname());
  expect(publishedHost(undefined, '::')).toBe(hostname());
  expect(publishedHost('cluster.example', '0.0.0.0')).toBe('cluster.example');
  expect(publishedHost(undefined, '10.0.0.5')).toBe('10.0.0.5');
});

it('behind another port it is reached by that one', () => {
  expect(publishedPort(6123, undefined, 6123)).toBe(6123);
  expect(publishedPort(0, undefined, 40_001)).toBe(40_001);
  expect(publishedPort(6123, 7000, 7000)).toBe(6123);
  expect(publishedPort(0, 7000, 7000)).toBe(7000);
});
