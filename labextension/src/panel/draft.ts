/** A text that is being edited while the truth may change. */

/** What a person made of a text, what it was made from, and what holds now. */
export class Draft {
  #truth = '';
  #base: string | null = null;

  /** Whether a person is editing. */
  get open(): boolean {
    return this.#base !== null;
  }

  /** What holds now. */
  get truth(): string {
    return this.#truth;
  }

  /** What somebody else made of it since the editing began; `null` when nobody did. */
  get foreign(): string | null {
    return this.#base !== null && this.#base !== this.#truth ? this.#truth : null;
  }

  /** The truth as now known; what is being typed is another matter. */
  learn(truth: string): void {
    this.#truth = truth;
  }

  /** Begin to edit, from what holds now; once more while editing: what holds now was seen. */
  begin(): void {
    this.#base = this.#truth;
  }

  /** Edit no more. */
  end(): void {
    this.#base = null;
  }
}
