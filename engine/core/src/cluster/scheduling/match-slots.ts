/**
 * Which TaskManager each slot of an attempt is taken from. Pure.
 *
 * Invariants: 1. all slots are placed or none; 2. no TaskManager gives more slots or resources than it has free; 3. a slot whose former
 * TaskManager has room gets it back, where its state may still lie, unless only other places leave room for all.
 */
import { fits, type ResourceProfile, shareOf, without } from './resource-profile.js';

/**
 * Which TaskManagers are preferred. Flink's `taskmanager.load-balance.mode`: NONE fills the fullest, SLOTS spreads over the emptiest; 'pack'
 * takes as few TaskManagers as there can be.
 */
export type SlotSpread = 'fill' | 'spread' | 'pack';

/** A slot that is wanted. */
export interface SlotWish {
  /** Undefined: an even share of its TaskManager. */
  readonly profile: ResourceProfile | undefined;
  /** The TaskManager that had it before. */
  readonly formerHost: string | undefined;
}

/** What a TaskManager has free. */
export interface SlotOffer {
  readonly id: string;
  readonly slots: number;
  readonly total: ResourceProfile;
  readonly freeSlots: number;
  readonly free: ResourceProfile;
}

interface Host {
  readonly offer: SlotOffer;
  freeSlots: number;
  free: ResourceProfile;
}

/** Ids of TaskManagers, by slot; undefined if not all can be placed. */
export function matchSlots(wishes: readonly SlotWish[], offers: readonly SlotOffer[], spread: SlotSpread): readonly string[] | undefined {
  const placed = place(wishes, offers, spread);
  if (placed !== undefined || wishes.every(({ formerHost }) => formerHost === undefined)) return placed;
  // A small slot in its former place may leave no TaskManager with room for a large one.
  return place(
    wishes.map(({ profile }) => ({ profile, formerHost: undefined })),
    offers,
    spread,
  );
}

function place(wishes: readonly SlotWish[], offers: readonly SlotOffer[], spread: SlotSpread): readonly string[] | undefined {
  const hosts = offers.map((offer): Host => ({ offer, freeSlots: offer.freeSlots, free: offer.free }));
  const placed = new Array<string | undefined>(wishes.length);
  for (const [slot, { profile, formerHost }] of wishes.entries()) {
    const former = hosts.find(({ offer }) => offer.id === formerHost);
    if (former === undefined || !hasRoom(former, profile)) continue;
    take(former, profile);
    placed[slot] = former.offer.id;
  }
  for (const slots of similarSlots(wishes, placed)) {
    const chosen: string[] = [];
    for (const slot of slots) {
      const profile = wishes[slot]?.profile;
      const host = bestHost(hosts, profile, spread);
      if (host === undefined) return undefined;
      take(host, profile);
      chosen.push(host.offer.id);
    }
    // Neighbouring slots on one machine: forward and rescale edges stay there.
    chosen.sort();
    for (const [index, slot] of slots.entries()) placed[slot] = chosen[index];
  }
  return placed as string[];
}

/** How many slots without a profile these TaskManagers have free. */
export function countFreeSlots(offers: readonly SlotOffer[]): number {
  let count = 0;
  for (const offer of offers) {
    const host: Host = { offer, freeSlots: offer.freeSlots, free: offer.free };
    for (; hasRoom(host, undefined); count++) take(host, undefined);
  }
  return count;
}

/** Slots that are still to be placed, those of one profile together, the large ones first. */
function similarSlots(wishes: readonly SlotWish[], placed: readonly (string | undefined)[]): number[][] {
  const groups = new Map<string, number[]>();
  for (const [slot, { profile }] of wishes.entries()) {
    if (placed[slot] !== undefined) continue;
    const name = profile === undefined ? '' : `${profile.heapBytes} ${profile.cpuCores}`;
    const group = groups.get(name);
    if (group === undefined) groups.set(name, [slot]);
    else group.push(slot);
  }
  const sizeOf = ([slot]: number[]): ResourceProfile => wishes[slot as number]?.profile ?? { cpuCores: 0, heapBytes: 0 };
  return [...groups.values()].sort((left, right) => {
    const [a, b] = [sizeOf(left), sizeOf(right)];
    return b.heapBytes - a.heapBytes || b.cpuCores - a.cpuCores;
  });
}

function sizeOn({ offer }: Host, profile: ResourceProfile | undefined): ResourceProfile {
  return profile ?? shareOf(offer.total, offer.slots);
}

function hasRoom(host: Host, profile: ResourceProfile | undefined): boolean {
  return host.freeSlots > 0 && fits(sizeOn(host, profile), host.free);
}

function take(host: Host, profile: ResourceProfile | undefined): void {
  host.freeSlots--;
  host.free = without(host.free, sizeOn(host, profile));
}

function bestHost(hosts: readonly Host[], profile: ResourceProfile | undefined, spread: SlotSpread): Host | undefined {
  let best: Host | undefined;
  for (const host of hosts) if (hasRoom(host, profile) && (best === undefined || isBetter(host, best, spread))) best = host;
  return best;
}

function isBetter(host: Host, best: Host, spread: SlotSpread): boolean {
  if (spread === 'fill') return host.freeSlots < best.freeSlots;
  if (spread === 'spread') return host.freeSlots > best.freeSlots;
  const [begun, bestBegun] = [host, best].map(({ freeSlots, offer }) => freeSlots < offer.freeSlots);
  return begun === bestBegun ? host.freeSlots > best.freeSlots : begun === true;
}
