/** Fakes for the tests that use browser storage and locks. */

import { createOncePerBrowser, type OncePerBrowser } from '../../src/browser/once-per-browser';
import { fakeLock } from '../fakes';

/** A storage in memory. */
export class FakeStorage implements Storage {
  readonly #items = new Map<string, string>();
  get length() {
    return this.#items.size;
  }
  key(at: number) {
    return [...this.#items.keys()][at] ?? null;
  }
  getItem(name: string) {
    return this.#items.get(name) ?? null;
  }
  setItem(name: string, value: string) {
    this.#items.set(name, value);
  }
  removeItem(name: string) {
    this.#items.delete(name);
  }
  clear() {
    this.#items.clear();
  }
}

/** Create the function with a storage in memory. */
export function createFakeOncePerBrowser(
  storage = new FakeStorage(),
  exclusive = fakeLock(),
): OncePerBrowser {
  const atOnce = (callback: () => void): void => {
    callback();
  };
  return createOncePerBrowser({ storage, lock: exclusive, setTimeout: atOnce });
}
