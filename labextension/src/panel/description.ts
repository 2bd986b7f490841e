/** The section for the description. */

import { createElement, setAttributes, setText } from '../countdown/elements';
import { outcomeText } from '../text/outcomes';
import type { Payload } from '../tokens';
import {
  codePointCount,
  type DescriptionProblem,
  escapeDirectionMarks,
  findDescriptionProblem,
  MAX_DESCRIPTION_LENGTH,
  showCharacter,
  toFullWidth,
} from './description-rules';
import { EditBuffer } from './edit-buffer';
import { panelButton, panelElement, type PanelSection, type PanelSectionOptions } from './section';

/** Shows the description and edits it in place. */
export class DescriptionSection implements PanelSection {
  /** {@inheritDoc PanelSection.node} */
  readonly node: HTMLElement;
  readonly #options: PanelSectionOptions;
  readonly #editBuffer = new EditBuffer();
  readonly #text = panelElement('p', 'description');
  readonly #editButton: HTMLButtonElement;
  readonly #textArea = panelElement('textarea', 'input', [], {
    rows: '4',
    'data-lm-suppress-shortcuts': 'true',
  });
  readonly #counter = panelElement('span', 'counter');
  readonly #errorElement = panelElement('p', 'error', [], {
    id: 'ma-description-error',
    'aria-live': 'polite',
  });
  readonly #fullWidthButton: HTMLButtonElement;
  readonly #saveButton: HTMLButtonElement;
  readonly #conflictText = panelElement('p', 'conflictText');
  readonly #conflict: HTMLElement;
  readonly #form: HTMLElement;
  #saveError = '';
  #isSaving = false;
  #canEdit = false;

  constructor(options: PanelSectionOptions) {
    this.#options = options;
    const { trans } = options;
    const heading = panelElement('h3', 'heading', [trans.__('Description')]);
    this.#editButton = panelButton(trans.__('Edit'), () => {
      this.startEditing();
    });
    this.#fullWidthButton = panelButton(
      trans.__('Use Full-Width Characters'),
      this.#onUseFullWidth,
    );
    this.#saveButton = panelButton(trans.__('Save'), () => void this.#onSave(), 'ma-mod-accept');
    const cancel = panelButton(trans.__('Cancel'), this.#onCancel);
    this.#conflict = panelElement('div', 'conflict', [
      this.#conflictText,
      panelElement('div', 'row', [
        panelButton(trans.__('Keep Mine'), this.#onKeepMine),
        panelButton(trans.__('Use Current'), this.#onCancel),
      ]),
    ]);
    this.#form = panelElement('div', 'form', [
      this.#textArea,
      this.#counter,
      this.#errorElement,
      this.#fullWidthButton,
      this.#conflict,
      panelElement('div', 'row', [this.#saveButton, cancel]),
    ]);
    const head = panelElement('div', 'head', [heading, this.#editButton]);
    this.node = panelElement('section', 'section', [head, this.#text, this.#form]);
    setAttributes(this.#textArea, { 'aria-label': trans.__('Description') });
    setAttributes(this.#editButton, { 'aria-label': trans.__('Edit Description') });
    this.#textArea.addEventListener('input', this.#onInput);
    this.#textArea.addEventListener('keydown', this.#onKeyDown);
    this.#render();
  }

  /** Start editing. */
  startEditing(): void {
    if (!this.#editBuffer.isEditing && this.#canEdit) {
      this.#editBuffer.startEditing();
      this.#textArea.value = this.#editBuffer.current;
      this.#saveError = '';
      this.#render();
    }
    this.#textArea.focus();
  }

  /** {@inheritDoc PanelSection.update} */
  update(payload: Payload | null): void {
    this.node.hidden = !payload?.instance;
    this.#canEdit = payload?.readOnly === false && this.#options.manager.presumedStop === null;
    this.#editBuffer.setCurrent(payload?.instance?.description ?? '');
    this.#render();
  }

  readonly #onInput = (): void => {
    this.#saveError = '';
    this.#render();
  };

  readonly #onKeyDown = (event: KeyboardEvent): void => {
    // With an input method, these keys only end the composition of a character.
    if (event.isComposing) {
      return;
    }
    if (event.key === 'Escape') {
      this.#onCancel();
    } else if (event.key === 'Enter' && (event.ctrlKey || event.metaKey)) {
      void this.#onSave();
    }
  };

  readonly #onCancel = (): void => {
    this.#editBuffer.stopEditing();
    this.#render();
    this.#editButton.focus();
  };

  readonly #onKeepMine = (): void => {
    this.#editBuffer.startEditing();
    this.#render();
    this.#textArea.focus();
  };

  readonly #onUseFullWidth = (): void => {
    this.#textArea.value = toFullWidth(this.#textArea.value);
    this.#onInput();
    this.#textArea.focus();
  };

  async #onSave(): Promise<void> {
    const { manager, trans, announce } = this.#options;
    const description = this.#textArea.value;
    if (
      this.#isSaving ||
      findDescriptionProblem(description) !== null ||
      this.#editBuffer.conflicting !== null
    ) {
      return;
    }
    this.#isSaving = true;
    this.#render();
    const outcome = await manager.edit({
      description,
      base: { description: this.#editBuffer.current },
    });
    this.#isSaving = false;
    const text = outcomeText(trans, { outcome, kind: 'save', manager });
    this.#saveError = outcome.result.ok || outcome.isConflict ? '' : text;
    announce(text);
    if (outcome.result.ok) {
      this.#editBuffer.setCurrent(description);
      this.#onCancel();
    } else {
      this.#render();
    }
  }

  #render(): void {
    const { trans } = this.#options;
    const { isEditing, current } = this.#editBuffer;
    const problem = isEditing ? findDescriptionProblem(this.#textArea.value) : null;
    this.#form.hidden = !isEditing;
    const text = isEditing ? this.#textArea.value : current;
    const shownText = escapeDirectionMarks(text);
    // The text area cannot show invisible marks, so that they are shown above it.
    this.#text.hidden = isEditing && shownText === text;
    this.#editButton.hidden = isEditing || !this.#canEdit;
    this.#text.textContent = shownText || trans.__('No description.');
    this.#text.classList.toggle('ma-mod-empty', !shownText);
    this.#renderError(problem);
    this.#renderConflict();
    // The text area is hidden when saving ends.
    this.#textArea.readOnly = this.#isSaving;
    this.#saveButton.disabled = !this.#canSave(problem);
  }

  #canSave(problem: DescriptionProblem | null): boolean {
    const isConflict = this.#editBuffer.conflicting !== null;
    return this.#canEdit && problem === null && !isConflict && !this.#isSaving;
  }

  #renderError(problem: DescriptionProblem | null): void {
    const error = problem ? this.#problemText(problem) : this.#saveError;
    setText(this.#counter, `${codePointCount(this.#textArea.value)} / ${MAX_DESCRIPTION_LENGTH}`);
    setText(this.#errorElement, error);
    this.#fullWidthButton.hidden = problem?.kind !== 'character';
    setAttributes(this.#textArea, {
      'aria-invalid': problem ? 'true' : null,
      'aria-describedby': error ? 'ma-description-error' : null,
    });
  }

  #renderConflict(): void {
    const { trans } = this.#options;
    const { conflicting } = this.#editBuffer;
    this.#conflict.hidden = conflicting === null;
    const label = createElement('strong', {}, [trans.__('Changed elsewhere to:')]);
    this.#conflictText.replaceChildren(
      label,
      ` ${escapeDirectionMarks(conflicting ?? '') || trans.__('(empty)')}`,
    );
  }

  #problemText(problem: DescriptionProblem): string {
    const { trans } = this.#options;
    if (problem.kind === 'too-long') {
      return trans.__(
        '%1 characters; at most %2 are allowed.',
        problem.length,
        MAX_DESCRIPTION_LENGTH,
      );
    }
    return problem.kind === 'character'
      ? trans.__(
          '“%1” (position %2) is not allowed.',
          showCharacter(problem.character),
          problem.position,
        )
      : trans.__('Invalid character at position %1.', problem.position);
  }
}
