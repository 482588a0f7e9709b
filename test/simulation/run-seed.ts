/**
 * Runs seeds of the cluster simulation and prints their reports: node test/dist/simulation/run-seed.js <first>[-<last>] [--print] [--calm].
 * Of a range only what failed is printed.
 */
import { ClusterSimulation, describeSimulation, NO_FAULTS } from 'millstream/testing';
import job, { expectedLines } from './simulated-job.js';

const [seeds = '1', ...flags] = process.argv.slice(2);
const [first = 1, last = first] = seeds.split('-').map(Number);
const expected = expectedLines();
let failed = 0;
for (let seed = first; seed <= last; seed++) {
  const calm = flags.includes('--calm') ? { faults: NO_FAULTS } : {};
  const report = await new ClusterSimulation({ seed, job, expected, print: flags.includes('--print'), ...calm }).run();
  if (report.violations.length > 0) failed++;
  else if (first !== last) process.stdout.write(`seed ${seed} is green: ${report.events} events in ${report.virtualMs.toFixed(0)} ms\n`);
  if (report.violations.length > 0 || first === last) process.stdout.write(`${describeSimulation(report)}\n`);
}
if (first !== last) process.stdout.write(`${last - first + 1 - failed} of ${last - first + 1} seeds are green\n`);
process.exitCode = failed === 0 ? 0 : 1;
