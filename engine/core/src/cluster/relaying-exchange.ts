/** The exchange of a TaskManager's process: a service for all its attempts, and a driver for each attempt's wake words. */
import type { Clock } from '../common/clock.js';
import type { Network, NetworkAddress } from '../common/transport.js';
import { ExchangeDriver, type ExchangeDriverOptions } from '../network/exchange-driver.js';
import { ExchangeService } from '../network/exchange-service.js';
import type { AttemptExchange, ExchangeRequest } from './attempt-share.js';

/** What a {@link RelayingExchange} needs. */
export interface RelayingExchangeOptions {
  readonly taskManager: string;
  readonly network: Network;
  readonly clock: Clock;
  /** `taskmanager.network.memory.credit-per-channel`, bytes; default 2 MiB. */
  readonly creditBytes?: number;
  /** `taskmanager.network.partition-request-timeout`, ms; default 10 s. */
  readonly attemptTimeoutMs?: number;
  /** Begins to pump as the options say. Default: in the event loop of this thread. */
  readonly startDriver?: (options: ExchangeDriverOptions) => Pumping;
}

/** What pumps for an attempt. */
export interface Pumping {
  /** Pumps soon. */
  wake(): void;
  /** Pumps no more. */
  stop(): void;
}

/** Relays between the slots of this process and other TaskManagers. */
export class RelayingExchange implements AttemptExchange {
  private readonly service: ExchangeService;
  private readonly clock: Clock;
  private readonly startDriver: (options: ExchangeDriverOptions) => Pumping;
  private readonly drivers = new Set<Pumping>();

  constructor(options: RelayingExchangeOptions) {
    this.clock = options.clock;
    this.startDriver = options.startDriver ?? startExchangeDriver;
    this.service = new ExchangeService({
      ...options,
      requestPump: () => {
        for (const driver of this.drivers) driver.wake();
      },
    });
  }

  /** Begins to accept other TaskManagers. Returns the real address. */
  async listen(address: NetworkAddress): Promise<NetworkAddress> {
    return await this.service.listen(address);
  }

  open(request: ExchangeRequest): { close(): void } {
    const { wakeWords, relayIndex, ...deployment } = request;
    if (deployment.outgoing.length === 0 && deployment.incoming.length === 0) return { close: () => undefined };
    const exchange = this.service.open(deployment);
    const driver = this.startDriver({
      pump: () => this.service.pump(),
      takeDepth: () => this.service.takeDepth(),
      words: wakeWords,
      index: relayIndex,
      clock: this.clock,
    });
    this.drivers.add(driver);
    return {
      close: () => {
        this.drivers.delete(driver);
        driver.stop();
        exchange.close();
      },
    };
  }

  async close(): Promise<void> {
    await this.service.close();
  }
}

function startExchangeDriver(options: ExchangeDriverOptions): Pumping {
  const driver = new ExchangeDriver(options);
  driver.start();
  return driver;
}
