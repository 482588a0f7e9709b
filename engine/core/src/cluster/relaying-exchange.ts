/** The exchange of a TaskManager's process: a service for all its attempts, and a driver for each attempt's wake words. */
import type { Clock } from '../common/clock.js';
import type { Network, NetworkAddress } from '../common/transport.js';
import { ExchangeDriver } from '../network/exchange-driver.js';
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
}

/** Relays between the slots of this process and other TaskManagers. */
export class RelayingExchange implements AttemptExchange {
  private readonly service: ExchangeService;
  private readonly clock: Clock;
  private readonly drivers = new Set<ExchangeDriver>();

  constructor(options: RelayingExchangeOptions) {
    this.clock = options.clock;
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
    const driver = new ExchangeDriver({
      pump: () => this.service.pump(),
      takeDepth: () => this.service.takeDepth(),
      words: wakeWords,
      index: relayIndex,
      clock: this.clock,
    });
    const exchange = this.service.open(deployment);
    this.drivers.add(driver);
    driver.start();
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
