/** The section that undoes the last change. */

import { setText } from '../countdown/elements';
import { outcomeText, undoText } from '../text/outcomes';
import type { Payload } from '../tokens';
import { panelButton, panelElement, type PanelSection, type PanelSectionOptions } from './section';

/** Shows what undoing restores, with its button, or why it cannot, until something else is changed. */
export class UndoSection implements PanelSection {
  /** {@inheritDoc PanelSection.node} */
  readonly node = panelElement('section', 'undo');
  readonly #options: PanelSectionOptions;
  readonly #text = panelElement('span', 'hint');
  readonly #button: HTMLButtonElement;
  readonly #message = panelElement('p', 'message', [], { 'data-tone': 'error' });

  constructor(options: PanelSectionOptions) {
    this.#options = options;
    this.#button = panelButton(options.trans.__('Undo'), () => void this.#onUndo());
    this.node.append(panelElement('div', 'row', [this.#text, this.#button]), this.#message);
  }

  /** {@inheritDoc PanelSection.update} */
  update(payload: Payload | null): void {
    const offer = payload?.undo ?? null;
    const { manager, trans } = this.#options;
    const text = undoText(trans, manager);
    this.#button.hidden = offer === null || manager.presumedStop !== null;
    this.#button.parentElement?.toggleAttribute('hidden', !text);
    if (text && text !== this.#text.textContent) {
      // The message is about another change.
      setText(this.#message, '');
    }
    setText(this.#text, text);
    this.node.hidden = !text && this.#message.textContent === '';
  }

  async #onUndo(): Promise<void> {
    const { manager, trans, announce } = this.#options;
    this.#button.disabled = true;
    const outcome = await manager.undo();
    this.#button.disabled = false;
    const text = outcomeText(trans, { outcome, kind: 'set', manager });
    setText(this.#message, outcome.result.ok ? '' : text);
    this.node.hidden = this.node.hidden && outcome.result.ok;
    announce(text);
  }
}
