/** Follows the kernel of the document in front. */

import type { IDisposable } from '@lumino/disposable';
import { type DocumentSession, type FrontShell, sessionOf } from '../browser/running-cell';

/** Calls back when another document comes to the front, and when the status of its kernel changes. */
export class FrontSession implements IDisposable {
  readonly #shell: FrontShell;
  readonly #onChange: () => void;
  #session: DocumentSession | null = null;
  #disposed = false;

  constructor(shell: FrontShell, onChange: () => void) {
    this.#shell = shell;
    this.#onChange = onChange;
    shell.currentChanged?.connect(this.#follow);
    this.#follow();
  }

  /** Whether it is disposed. */
  get isDisposed(): boolean {
    return this.#disposed;
  }

  /** Stop. May be called more than once. */
  dispose(): void {
    this.#disposed = true;
    this.#shell.currentChanged?.disconnect(this.#follow);
    this.#session?.statusChanged.disconnect(this.#onChange);
    this.#session = null;
  }

  readonly #follow = (): void => {
    this.#session?.statusChanged.disconnect(this.#onChange);
    this.#session = sessionOf(this.#shell.currentWidget);
    this.#session?.statusChanged.connect(this.#onChange);
    this.#onChange();
  };
}
