/** Auto-stop: whether, after how long, and whether to remind. */

import { setAttributes, setText } from '../countdown/dom';
import { durationLabel, parseDuration, wordsFor } from '../countdown/format';
import { outcomeText, type Verb } from '../text/outcomes';
import type { AutoStopEdit, Capabilities, Outcome, Payload } from '../tokens';
import { Draft } from './draft';
import { button, part, type Section, type SectionOptions } from './parts';

/** The same in every language. */
const EXAMPLE = '2h30m';

/** Shows auto-stop, and lets a person set it. */
export class AutoStopSection implements Section {
  readonly node: HTMLElement;
  readonly #options: SectionOptions;
  readonly #enabled = toggle();
  readonly #remind = toggle();
  readonly #duration = part('input', 'input', [], {
    ...{ type: 'text', 'data-lm-suppress-shortcuts': 'true' },
    'aria-describedby': 'ma-auto-stop-hint ma-auto-stop-said',
  });
  readonly #durationText = part('span', 'label');
  readonly #hint = part('p', 'hint', [], { id: 'ma-auto-stop-hint' });
  readonly #said = part('p', 'said', [], { id: 'ma-auto-stop-said' });
  readonly #foreign = part('p', 'foreign');
  readonly #conflict: HTMLElement;
  readonly #save: HTMLButtonElement;
  readonly #buttons: HTMLElement;
  readonly #draft = new Draft();
  #payload: Payload | null = null;
  #bad = false;
  #busy = false;
  /** What held when something was said of it. */
  #saidOf = '';

  constructor(options: SectionOptions) {
    this.#options = options;
    const { trans } = options;
    this.#save = button(trans.__('Save'), () => void this.#onSave(), 'ma-mod-accept');
    this.#buttons = part('div', 'row', [this.#save, button(trans.__('Cancel'), this.#onCancel)]);
    this.#conflict = part('div', 'conflict', [
      this.#foreign,
      part('div', 'row', [
        button(trans.__('Keep mine'), this.#onKeep),
        button(trans.__('Take that one'), this.#onCancel),
      ]),
    ]);
    this.node = part('section', 'section', [
      part('h3', 'heading', [trans.__('Auto-stop')]),
      part('label', 'switch', [this.#enabled, trans.__('Stop by itself')]),
      part('label', 'field', [this.#durationText, this.#duration]),
      this.#hint,
      this.#conflict,
      this.#said,
      this.#buttons,
      part('label', 'switch', [this.#remind, trans.__('Remind me before it stops')]),
    ]);
    this.#duration.placeholder = EXAMPLE;
    this.#enabled.addEventListener('change', () => void this.#onEnabled());
    this.#remind.addEventListener('change', () => void this.#onRemind());
    this.#duration.addEventListener('input', this.#onInput);
    this.#duration.addEventListener('keydown', this.#onKey);
    this.#render();
  }

  /** Put the focus on the duration. */
  focus(): void {
    this.#duration.focus();
    this.#duration.select();
  }

  update(payload: Payload | null): void {
    const state = payload?.snapshot?.state;
    this.#payload = payload;
    this.node.hidden = !state;
    this.#draft.learn(durationText(state?.duration_s ?? null));
    if (!this.#draft.open) {
      this.#duration.value = this.#draft.truth;
    }
    if (!this.#busy && this.#saidOf !== JSON.stringify(baseOf(payload))) {
      this.#said.textContent = ''; // Overtaken.
    }
    this.#render();
  }

  readonly #onInput = (): void => {
    if (!this.#draft.open) {
      this.#draft.begin();
    }
    this.#say('', false);
  };

  readonly #onKey = (event: KeyboardEvent): void => {
    if (event.isComposing) {
      return; // Such a key ends the composing of a character, no more.
    }
    if (event.key === 'Escape') {
      this.#onCancel();
    } else if (event.key === 'Enter' && this.#draft.open) {
      void this.#onSave();
    }
  };

  readonly #onCancel = (): void => {
    this.#draft.end();
    this.update(this.#payload);
    this.#say('', false);
    this.#duration.focus();
  };

  readonly #onKeep = (): void => {
    this.#draft.begin();
    this.#render();
    this.#duration.focus();
  };

  async #onSave(): Promise<void> {
    const seconds = parseDuration(this.#duration.value);
    const wrong = this.#complaint(seconds);
    if (wrong || seconds === null || this.#draft.foreign !== null) {
      this.#say(wrong, true);
      return;
    }
    if (await this.#change({ duration_s: seconds, enabled: true })) {
      this.#draft.end();
      this.update(this.#payload);
    }
  }

  async #onEnabled(): Promise<void> {
    await this.#change({ enabled: this.#enabled.checked });
  }

  async #onRemind(): Promise<void> {
    const { manager } = this.#options;
    await this.#carryOut(() => manager.mute(!this.#remind.checked), 'save');
  }

  #change(autoStop: AutoStopEdit): Promise<boolean> {
    // All but the duration being typed shows what holds, and of another one a person decides before.
    const edit = { auto_stop: autoStop, base: { auto_stop: baseOf(this.#payload) } };
    return this.#carryOut(() => this.#options.manager.change(edit), 'set');
  }

  async #carryOut(work: () => Promise<Outcome>, verb: Verb): Promise<boolean> {
    if (this.#busy) {
      return false;
    }
    this.#busy = true;
    this.#say(this.#options.trans.__('Saving…'), false);
    const outcome = await work();
    this.#busy = false;
    this.#tell(outcome, verb);
    return outcome.answer.ok;
  }

  #tell(outcome: Outcome, verb: Verb): void {
    const { trans, manager } = this.#options;
    const words = outcomeText(trans, { outcome, verb, manager });
    this.#say(words, !outcome.answer.ok);
    this.#options.announce(words);
  }

  #say(words: string, bad: boolean): void {
    this.#bad = bad;
    this.#saidOf = JSON.stringify(baseOf(this.#payload));
    setText(this.#said, words);
    this.#render();
  }

  #complaint(seconds: number | null): string {
    const { trans } = this.#options;
    const able = this.#payload?.capabilities;
    if (seconds === null || seconds <= 0) {
      return trans.__('Write 90m or 2h30m.');
    }
    return able && (seconds < able.shortestS || seconds > able.longestS)
      ? trans.__('It has to be %1.', range(this.#options, able))
      : '';
  }

  #render(): void {
    const able = this.#payload?.capabilities ?? null;
    const { open } = this.#draft;
    this.#renderSwitches(able);
    this.#renderConflict();
    setText(this.#durationText, this.#durationLabel(able));
    setText(this.#hint, [this.#idle(), this.#bounds(able)].filter(Boolean).join(' '));
    this.#buttons.hidden = !open;
    setAttributes(this.#said, { 'data-tone': this.#bad ? 'bad' : 'good' });
    setAttributes(this.#duration, { 'aria-invalid': this.#bad && open ? 'true' : null });
  }

  #renderSwitches(able: Capabilities | null): void {
    const readOnly = this.#payload?.readOnly !== false;
    if (!this.#busy) {
      this.#renderTruth();
    }
    this.#enabled.disabled = readOnly || this.#busy || this.#stuck(able);
    this.#remind.disabled = readOnly || this.#busy;
    this.#duration.disabled = readOnly;
    this.#duration.readOnly = this.#busy; // It is overwritten when that is done.
  }

  #renderTruth(): void {
    this.#enabled.checked = this.#payload?.snapshot?.state.enabled === true;
    this.#remind.checked = this.#payload?.muted === false;
  }

  /** On, and the API has no way to turn it off. */
  #stuck(able: Capabilities | null): boolean {
    return this.#enabled.checked && able?.off === false;
  }

  #renderConflict(): void {
    const { trans } = this.#options;
    const { foreign } = this.#draft;
    this.#conflict.hidden = foreign === null;
    setText(this.#foreign, trans.__('Changed meanwhile to: %1', foreign || trans.__('nothing')));
    this.#save.disabled = foreign !== null || this.#busy;
  }

  #idle(): string {
    const state = this.#payload?.snapshot?.state;
    const idle = state?.enabled === true && state.mode === 'IDLE';
    return idle ? this.#options.trans.__('It now stops when idle.') : '';
  }

  #durationLabel(able: Capabilities | null): string {
    const { trans } = this.#options;
    return able?.countsFrom === 'now' ? trans.__('Stop in (from now)') : trans.__('Stop after');
  }

  #bounds(able: Capabilities | null): string {
    const { trans } = this.#options;
    if (able === null) {
      return '';
    }
    const off = able.off ? '' : trans.__('This API cannot turn it off.');
    return [trans.__('Possible: %1.', range(this.#options, able)), off].filter(Boolean).join(' ');
  }
}

/** Auto-stop as it was shown, for the server to notice that somebody changed it. */
const baseOf = (payload: Payload | null): Readonly<Record<string, unknown>> =>
  payload?.instance?.autoStop ?? {};

function toggle(): HTMLInputElement {
  return part('input', 'toggle', [], { type: 'checkbox', role: 'switch' });
}

function range({ trans }: SectionOptions, { shortestS, longestS }: Capabilities): string {
  const words = wordsFor('');
  const span = (seconds: number): string => durationLabel(words, seconds);
  return trans.__('%1 to %2', span(shortestS), span(longestS));
}

/** Seconds as a person would type them: `2h30m`. */
export function durationText(seconds: number | null): string {
  if (seconds === null) {
    return '';
  }
  const minutes = Math.round(seconds / 60);
  const hours = Math.floor(minutes / 60);
  const rest = minutes % 60;
  return `${hours ? `${hours}h` : ''}${rest || !hours ? `${rest}m` : ''}`;
}
