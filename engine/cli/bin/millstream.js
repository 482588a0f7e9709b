#!/usr/bin/env node
// Starts the command on a Node that it supports: this one, or the one that the project pins with the npm package 'node'.
import { spawn } from 'node:child_process';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';

const [major, minor] = process.versions.node.split('.').map(Number);
if (major > 22 || (major === 22 && minor >= 18)) await import('../dist/main.js');
else {
  const pinned = pinnedNode();
  if (pinned === undefined) {
    console.error(
      `millstream needs Node 22.18 or newer; this is ${process.versions.node}. Install a newer Node, or pin one: npm install --save-dev node@24`,
    );
    process.exit(1);
  }
  const child = spawn(pinned, process.argv.slice(1), { stdio: 'inherit' });
  for (const signal of ['SIGINT', 'SIGTERM']) process.on(signal, () => child.kill(signal));
  child.on('exit', (code, signal) => process.exit(signal === null ? code : 1));
}

function pinnedNode() {
  try {
    return join(dirname(createRequire(join(process.cwd(), 'x.js')).resolve('node/package.json')), 'bin', 'node');
  } catch {
    return undefined;
  }
}
