/**
 * The strings that a column of a batch had last, so that one that comes again is written as a reference to the record that has it: it is
 * neither copied nor decoded again. Equal strings need not be the same one.
 *
 *     slot of a string (its length and two of its units) ─▶ the string that was there last, the index of its record
 *
 * Where few strings come again, looking costs more than it gains: the column is then left alone for some batches.
 * Invariants: 1. `find` gives the index of an earlier record of the batch, below REFERENCES_MAX, whose string is equal; 2. between batches
 * no string is referred to.
 */

/** Only so many records of a batch are referred to: their indexes must fit beside the lengths. */
export const REFERENCES_MAX = 256;

const SLOTS = 64;
/** Below so many records there is too little to find. */
const RECORDS_MIN = 32;
/** Looking pays if one string in so many was found. */
const FOUND_MIN = 4;
/** After a batch where it did not pay, this many are written without looking. */
const BATCHES_LEFT_ALONE = 31;

export class RecentStrings {
  /** Whether strings of this batch are looked for. */
  isLooking = false;
  private readonly strings: string[] = new Array<string>(SLOTS).fill('');
  private readonly records = new Int16Array(SLOTS);
  private found = 0;
  private leftAlone = 0;

  /** Before a batch of `count` records. */
  begin(count: number): void {
    this.isLooking = false;
    if (count < RECORDS_MIN) return;
    if (this.leftAlone > 0) {
      this.leftAlone--;
      return;
    }
    this.isLooking = true;
    this.records.fill(-1);
    this.found = 0;
  }

  /** The index of an earlier record that has this string, which is not empty; -1 if none is known, and then record `index` is remembered. */
  find(text: string, index: number): number {
    const { length } = text;
    // Two units near the end: they differ more than those at the begin, and lie in one line of the cache.
    const inner = length > 16 ? length - 8 : length >> 1;
    const slot = (text.charCodeAt(length - 1) * 5 + text.charCodeAt(inner) + length) & (SLOTS - 1);
    const record = this.records[slot] as number;
    if (record >= 0 && this.strings[slot] === text) {
      this.found++;
      return record;
    }
    if (index < REFERENCES_MAX) {
      this.strings[slot] = text;
      this.records[slot] = index;
    }
    return -1;
  }

  /** After a batch, also one that was given up. */
  end(count: number): void {
    if (!this.isLooking) return;
    this.isLooking = false;
    this.strings.fill('');
    if (this.found * FOUND_MIN < count) this.leftAlone = BATCHES_LEFT_ALONE;
  }
}
