/** The section that restores the run time of later starts after an extension. */

import { setText } from '../countdown/elements';
import { laterStartsText, restoreLabel, restoreOutcomeText } from '../text/outcomes';
import type { Payload } from '../tokens';
import { panelButton, panelElement, type PanelSection, type PanelSectionOptions } from './section';

/** Shows how long later starts run, with the button that restores their run time, until it is restored. */
export class RestoreSection implements PanelSection {
  /** {@inheritDoc PanelSection.node} */
  readonly node = panelElement('section', 'restore');
  readonly #options: PanelSectionOptions;
  readonly #text = panelElement('span', 'hint');
  readonly #button: HTMLButtonElement;
  readonly #row: HTMLElement;
  readonly #message = panelElement('p', 'message', [], { 'data-tone': 'error' });
  #shown = '';

  constructor(options: PanelSectionOptions) {
    this.#options = options;
    this.#button = panelButton('', () => void this.#onRestore());
    this.#row = panelElement('div', 'row', [this.#text, this.#button]);
    this.node.append(this.#row, this.#message);
  }

  /** {@inheritDoc PanelSection.update} */
  update(payload: Payload | null): void {
    const { manager, trans } = this.#options;
    const offer = payload?.restore ?? null;
    const shown = JSON.stringify(offer);
    if (offer && shown !== this.#shown) {
      // The message is about an earlier extension.
      setText(this.#message, '');
    }
    this.#shown = shown;
    const label = restoreLabel(trans, manager);
    setText(this.#text, laterStartsText(trans, manager));
    setText(this.#button, label);
    this.#row.hidden = !offer;
    this.#button.hidden = !label || manager.presumedStop !== null;
    this.#updateHidden();
  }

  #updateHidden(): void {
    this.node.hidden = this.#row.hidden && this.#message.textContent === '';
  }

  async #onRestore(): Promise<void> {
    const { manager, trans, announce } = this.#options;
    this.#button.disabled = true;
    const outcome = await manager.restoreRunTime();
    this.#button.disabled = false;
    const text = restoreOutcomeText(trans, { outcome, kind: 'save', manager });
    // The run time that will be restored is shown already.
    setText(this.#message, outcome.result.ok ? '' : text);
    this.#updateHidden();
    announce(text);
  }
}
