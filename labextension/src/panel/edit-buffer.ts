/** A value that is edited while it may change elsewhere. */

/** The current value, and the value on which an edit is based. */
export class EditBuffer {
  #current = '';
  #original: string | null = null;

  /** Whether an edit has been started. */
  get isEditing(): boolean {
    return this.#original !== null;
  }

  /** The current value. */
  get current(): string {
    return this.#current;
  }

  /** The current value if it has changed since the edit was started, else `null`. */
  get conflicting(): string | null {
    return this.#original !== null && this.#original !== this.#current ? this.#current : null;
  }

  /** Set the current value. This does not affect the text of an edit. */
  setCurrent(current: string): void {
    this.#current = current;
  }

  /** Start an edit based on the current value. During an edit, this resolves a conflict. */
  startEditing(): void {
    this.#original = this.#current;
  }

  /** End the edit. */
  stopEditing(): void {
    this.#original = null;
  }
}
