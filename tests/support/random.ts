/**
 * Random values that a seed repeats.
 *
 * @module
 */

/** A source of random values; the same seed brings the same ones. */
export class Random {
  #state: number;

  /** `seed` is a whole number below 2^32. */
  constructor(readonly seed: number) {
    this.#state = seed >>> 0;
  }

  /** 0 up to 1, by mulberry32. */
  next(): number {
    this.#state = (this.#state + 0x6d2b79f5) >>> 0;
    let mixed = this.#state;
    mixed = Math.imul(mixed ^ mixed >>> 15, mixed | 1);
    mixed ^= mixed + Math.imul(mixed ^ mixed >>> 7, mixed | 61);
    return ((mixed ^ mixed >>> 14) >>> 0) / 2 ** 32;
  }

  /** A whole number from `least` to `most`, both included. */
  int(least: number, most: number): number {
    return least + Math.floor(this.next() * (most - least + 1));
  }

  /** True with this probability. */
  chance(probability: number): boolean {
    return this.next() < probability;
  }

  /** One of the values. */
  pick<T>(values: readonly [T, ...T[]]): T {
    return values[this.int(0, values.length - 1)] ?? values[0];
  }

  /** That many values. */
  list<T>(length: number, make: (index: number) => T): T[] {
    return Array.from({ length }, (_, index) => make(index));
  }

  /** Any bytes. */
  bytes(length: number): Uint8Array<ArrayBuffer> {
    return Uint8Array.from({ length }, () => this.int(0, 255));
  }

  /** Characters of `alphabet`, or printable ones with a few that are not. */
  text(length: number, alphabet = TEXT): string {
    const characters = [...alphabet];
    return this.list(length, () => characters[this.int(0, characters.length - 1)]).join("");
  }

  /** The text with a few characters removed, doubled, replaced or moved. */
  mutate(text: string): string {
    const characters = [...text];
    for (let left = this.int(1, 4); left > 0; left--) {
      const at = this.int(0, characters.length);
      const what = this.pick(["remove", "insert", "repeat", "cut"]);
      if (what === "remove") characters.splice(at, this.int(1, 8));
      else if (what === "insert") characters.splice(at, 0, this.text(this.int(1, 6)));
      else if (what === "repeat") characters.splice(at, 0, ...characters.slice(at, at + this.int(1, 40)));
      else if (this.chance(0.2)) characters.length = at;
    }
    return characters.join("");
  }
}

const TEXT = "abcXYZ019 \t\r\n\0\x7f\"'\\/:;,.-_=+*&%$#@!?<>()[]{}|~^`éß漢😀\ufeff\u2028";
