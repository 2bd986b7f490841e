/** A text that is being edited while the truth may change. */

/** What a person made of a text, what it was made from, and what holds now. */
export class EditBuffer {
  #current = '';
  #original: string | null = null;

  /** Whether a person is editing. */
  get isEditing(): boolean {
    return this.#original !== null;
  }

  /** What holds now. */
  get current(): string {
    return this.#current;
  }

  /** What somebody else made of it since the editing began; `null` when nobody did. */
  get conflicting(): string | null {
    return this.#original !== null && this.#original !== this.#current ? this.#current : null;
  }

  /** The truth as now known; what is being typed is another matter. */
  setCurrent(current: string): void {
    this.#current = current;
  }

  /** Begin to edit, from what holds now; once more while editing: what holds now was seen. */
  startEditing(): void {
    this.#original = this.#current;
  }

  /** Edit no more. */
  stopEditing(): void {
    this.#original = null;
  }
}
