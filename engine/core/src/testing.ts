/** `millstream/testing`: what tests of jobs and connectors are built from. */

export { systemClock } from './common/clock.js';
export { type DiskFault, type DiskOperation, MemoryDisk } from './common/memory-disk.js';
export { nodeDisk } from './common/node-disk.js';
export { type RigRecord, runInterrupted, SourceRig, type SourceRigOptions, type SourceSnapshot } from './testing/source-rig.js';
