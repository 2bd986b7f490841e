/** The description, edited in place. */

import { make, setAttributes, setText } from '../countdown/dom';
import { fullWidth, lengthOf, MAX_LENGTH, offence, type Offence } from './description-rules';
import { outcomeText } from '../text/outcomes';
import type { Payload } from '../tokens';
import { Draft } from './draft';
import { button, part, type Section, type SectionOptions } from './parts';

/** Shows the description, and lets a person write another one. */
export class DescriptionSection implements Section {
  readonly node: HTMLElement;
  readonly #options: SectionOptions;
  readonly #draft = new Draft();
  readonly #shown = part('p', 'description');
  readonly #edit: HTMLButtonElement;
  readonly #area = part('textarea', 'input', [], {
    rows: '4',
    'data-lm-suppress-shortcuts': 'true',
  });
  readonly #counter = part('span', 'counter');
  readonly #wrong = part('p', 'wrong', [], { id: 'ma-description-wrong', 'aria-live': 'polite' });
  readonly #widen: HTMLButtonElement;
  readonly #save: HTMLButtonElement;
  readonly #foreign = part('p', 'foreign');
  readonly #conflict: HTMLElement;
  readonly #form: HTMLElement;
  #problem = '';
  #busy = false;
  #changeable = false;

  constructor(options: SectionOptions) {
    this.#options = options;
    const { trans } = options;
    const heading = part('h3', 'heading', [trans.__('Description')]);
    this.#edit = button(trans.__('Edit'), () => {
      this.open();
    });
    this.#widen = button(trans.__('Use full-width characters'), this.#onWiden);
    this.#save = button(trans.__('Save'), () => void this.#onSave(), 'ma-mod-accept');
    const cancel = button(trans.__('Cancel'), this.#onCancel);
    this.#conflict = part('div', 'conflict', [
      this.#foreign,
      part('div', 'row', [
        button(trans.__('Keep mine'), this.#onKeep),
        button(trans.__('Take that one'), this.#onCancel),
      ]),
    ]);
    this.#form = part('div', 'form', [
      this.#area,
      this.#counter,
      this.#wrong,
      this.#widen,
      this.#conflict,
      part('div', 'row', [this.#save, cancel]),
    ]);
    const head = part('div', 'head', [heading, this.#edit]);
    this.node = part('section', 'section', [head, this.#shown, this.#form]);
    setAttributes(this.#area, { 'aria-label': trans.__('Description') });
    setAttributes(this.#edit, { 'aria-label': trans.__('Edit the description') });
    this.#area.addEventListener('input', this.#onInput);
    this.#area.addEventListener('keydown', this.#onKey);
    this.#render();
  }

  /** Begin to edit. */
  open(): void {
    if (!this.#draft.open && this.#changeable) {
      this.#draft.begin();
      this.#area.value = this.#draft.truth;
      this.#problem = '';
      this.#render();
    }
    this.#area.focus();
  }

  update(payload: Payload | null): void {
    this.node.hidden = !payload?.instance;
    this.#changeable = payload?.readOnly === false;
    this.#draft.learn(payload?.instance?.description ?? '');
    this.#render();
  }

  readonly #onInput = (): void => {
    this.#problem = '';
    this.#render();
  };

  readonly #onKey = (event: KeyboardEvent): void => {
    if (event.isComposing) {
      return; // Such a key ends the composing of a character, no more.
    }
    if (event.key === 'Escape') {
      this.#onCancel();
    } else if (event.key === 'Enter' && (event.ctrlKey || event.metaKey)) {
      void this.#onSave();
    }
  };

  readonly #onCancel = (): void => {
    this.#draft.end();
    this.#render();
    this.#edit.focus();
  };

  readonly #onKeep = (): void => {
    this.#draft.begin();
    this.#render();
    this.#area.focus();
  };

  readonly #onWiden = (): void => {
    this.#area.value = fullWidth(this.#area.value);
    this.#onInput();
    this.#area.focus();
  };

  async #onSave(): Promise<void> {
    const { manager, trans, announce } = this.#options;
    const description = this.#area.value;
    if (this.#busy || offence(description) !== null || this.#draft.foreign !== null) {
      return;
    }
    this.#busy = true;
    this.#render();
    const outcome = await manager.change({
      description,
      base: { description: this.#draft.truth },
    });
    this.#busy = false;
    const said = outcomeText(trans, { outcome, verb: 'save', manager });
    this.#problem = outcome.answer.ok || outcome.stale ? '' : said;
    announce(said);
    if (outcome.answer.ok) {
      this.#draft.learn(description);
      this.#onCancel();
    } else {
      this.#render();
    }
  }

  #render(): void {
    const { trans } = this.#options;
    const { open, truth } = this.#draft;
    const found = open ? offence(this.#area.value) : null;
    this.#form.hidden = !open;
    this.#shown.hidden = open;
    this.#edit.hidden = open || !this.#changeable;
    this.#shown.textContent = truth || trans.__('None yet.');
    this.#shown.classList.toggle('ma-mod-empty', !truth);
    this.#renderWrong(found);
    this.#renderConflict();
    this.#area.readOnly = this.#busy; // It goes when that is done.
    this.#save.disabled = found !== null || this.#draft.foreign !== null || this.#busy;
  }

  #renderWrong(found: Offence | null): void {
    const wrong = found ? this.#wordsFor(found) : this.#problem;
    setText(this.#counter, `${lengthOf(this.#area.value)} / ${MAX_LENGTH}`);
    setText(this.#wrong, wrong);
    this.#widen.hidden = found?.kind !== 'character';
    setAttributes(this.#area, {
      'aria-invalid': found ? 'true' : null,
      'aria-describedby': wrong ? 'ma-description-wrong' : null,
    });
  }

  #renderConflict(): void {
    const { trans } = this.#options;
    const { foreign } = this.#draft;
    this.#conflict.hidden = foreign === null;
    const words = make('strong', {}, [trans.__('Changed meanwhile to:')]);
    this.#foreign.replaceChildren(words, ` ${foreign || trans.__('nothing')}`);
  }

  #wordsFor(found: Offence): string {
    const { trans } = this.#options;
    if (found.kind === 'too-long') {
      return trans.__('%1 characters; at most %2 are allowed.', found.length, MAX_LENGTH);
    }
    return found.kind === 'character'
      ? trans.__('“%1” at position %2 is not allowed.', found.character, found.position)
      : trans.__('What is at position %1 is no character.', found.position);
  }
}
