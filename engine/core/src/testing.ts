/** `millstream/testing`: what tests of jobs and connectors are built from. */

export { type Clock, type ScheduledCall, systemClock } from './common/clock.js';
export { type DiskFault, type DiskOperation, MemoryDisk } from './common/memory-disk.js';
export { MemoryObjectStore } from './common/memory-object-store.js';
export { nodeDisk } from './common/node-disk.js';
export { type Random, seededRandom } from './common/random.js';
export type { Connection, ConnectionListener, Network, NetworkAddress, NetworkListener } from './common/transport.js';
export { CHECKPOINT_FILES_CASES, type CheckpointFilesRig } from './testing/checkpoint-files-conformance.js';
export type { ConformanceCase } from './testing/conformance.js';
export { type FaultPlan, InjectedFault, type StepFault, withFaults } from './testing/faults.js';
export { LEASE_CASES, type LeaseRig } from './testing/lease-conformance.js';
export { REGISTER_CASES, type RegisterRig } from './testing/register-conformance.js';
export {
  type ClusterFault,
  type ClusterFaultPlan,
  type ClusterHosts,
  describeFault,
  drawFaultPlan,
  type FaultTrigger,
  NO_FAULTS,
} from './testing/simulation/cluster-fault.js';
export { ClusterSimulation, type ClusterSimulationOptions } from './testing/simulation/cluster-simulation.js';
export type { FaultBodies, FaultBody, FaultTarget } from './testing/simulation/fault-kinds.js';
export type { FaultReport } from './testing/simulation/fault-schedule.js';
export type { ClockSkew } from './testing/simulation/process-clock.js';
export { describeSimulation, requireSound, type SimulationReport } from './testing/simulation/simulation-report.js';
export { type RigRecord, runInterrupted, SourceRig, type SourceRigOptions, type SourceSnapshot } from './testing/source-rig.js';
export { VirtualClock } from './testing/virtual-clock.js';
export { runVirtualTime, VirtualNetwork, type VirtualNetworkOptions } from './testing/virtual-network.js';
