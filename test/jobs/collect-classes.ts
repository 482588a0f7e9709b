/** A script that collects instances of a registered class and says what they are. */
import { StreamExecutionEnvironment } from 'millstream';
import { Money } from './registered-classes.js';

const env = StreamExecutionEnvironment.getExecutionEnvironment();
env.registerClass('Money', Money, { encode: (money) => money.cents, decode: (cents) => new Money(cents) });
const collected = await env
  .fromSequence(1, 3)
  .map((cents) => new Money(cents))
  .executeAndCollect('collect-classes');
console.log(
  collected
    .map((money) => `${money instanceof Money} ${money.cents}`)
    .sort()
    .join(),
);
