// The last minutes of one figure: a ring of fixed size whose slots are moments on one scale of time.

export class Ring {
  private readonly values: (number | null)[];
  /** The number of the newest slot since the epoch; null while empty. */
  private newest: number | null = null;

  constructor(
    readonly capacity: number,
    /** Seconds a slot. */
    readonly interval: number,
  ) {
    this.values = new Array<number | null>(capacity).fill(null);
  }

  /**
   * Sets the value at `time` in seconds. Skipped slots stay empty; a value older than the ring is ignored.
   */
  put(time: number, value: number): void {
    const slot = Math.floor(time / this.interval);
    const newest = this.newest ?? slot - 1;
    if (slot <= newest - this.capacity) return;
    const first = Math.max(newest + 1, slot - this.capacity + 1);
    for (let skipped = first; skipped < slot; skipped += 1) this.values[this.index(skipped)] = null;
    this.values[this.index(slot)] = value;
    this.newest = Math.max(newest, slot);
  }

  /** Fills the ring with evenly spaced values of which the last is at `until` in seconds. */
  fill(until: number, values: readonly number[]): void {
    this.values.fill(null);
    this.newest = null;
    const kept = values.slice(-this.capacity);
    kept.forEach((value, index) => this.put(until - (kept.length - 1 - index) * this.interval, value));
  }

  /** Oldest first, `capacity` long; empty slots are null. */
  points(): (number | null)[] {
    if (this.newest === null) return new Array<number | null>(this.capacity).fill(null);
    const newest = this.newest;
    return Array.from({ length: this.capacity }, (_, index) => {
      return this.values[this.index(newest - this.capacity + 1 + index)] ?? null;
    });
  }

  /** Seconds at which each point stands. */
  times(): number[] {
    const newest = this.newest ?? 0;
    return Array.from({ length: this.capacity }, (_, index) => (newest - this.capacity + 1 + index) * this.interval);
  }

  private index(slot: number): number {
    return ((slot % this.capacity) + this.capacity) % this.capacity;
  }
}
