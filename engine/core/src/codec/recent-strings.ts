/**
 * The strings that a column of a batch had last, so that one that comes again is written as a reference to the record that has it: it is
 * neither copied nor decoded again. Equal strings need not be the same one.
 *
 *     slot of a string (its length and last unit) ─▶ the string that was there last, the index of its record
 *
 * Where few strings come again, looking costs more than it gains: the column is then left alone for some batches.
 * Invariants: 1. `find` gives the index of an earlier record of the batch, below REFERENCES_MAX, whose string is equal; 2. between batches
 * no string is referred to: all are empty then, which none is that is looked for.
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
    this.found = 0;
  }

  /** The index of an earlier record that has this string, which is not empty; -1 if none is known, and then record `index` is remembered. */
  find(text: string, index: number): number {
    const { length } = text;
    // Each unit that is read costs about as much as is saved where nothing is found.
    const slot = (text.charCodeAt(length - 1) * 5 + length) & (SLOTS - 1);
    const { strings } = this;
    if (strings[slot] === text) {
      this.found++;
      return this.records[slot] as number;
    }
    if (index < REFERENCES_MAX) {
      strings[slot] = text;
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
