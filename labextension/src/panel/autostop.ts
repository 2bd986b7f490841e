/** The section for auto-stop: its switch, the run time, and the reminders. */

import { setAttributes, setText } from '../countdown/elements';
import { formatDuration, formatterFor, formatTimestamp } from '../countdown/format';
import {
  autoStopEditFor,
  parseTimeInput,
  requestedStopTime,
  type TimeInput,
} from '../countdown/time-input';
import { type ChangeKind, outcomeText } from '../text/outcomes';
import type { AutoStopEdit, Capabilities, Outcome, Payload } from '../tokens';
import { EditBuffer } from './edit-buffer';
import {
  panelButton,
  panelElement,
  type PanelSection,
  type PanelSectionOptions,
  panelSwitch,
} from './section';

/** An example of a duration, the same in every language. */
const DURATION_EXAMPLE = '2h30m';

/** Shows the auto-stop settings and changes them. */
export class AutoStopSection implements PanelSection {
  /** {@inheritDoc PanelSection.node} */
  readonly node: HTMLElement;
  readonly #options: PanelSectionOptions;
  readonly #enabledSwitch = panelSwitch();
  readonly #remindersSwitch = panelSwitch();
  readonly #durationInput = panelElement('input', 'input', [], {
    ...{ type: 'text', 'data-lm-suppress-shortcuts': 'true' },
    'aria-describedby': 'ma-auto-stop-hint ma-auto-stop-message',
  });
  readonly #durationLabel = panelElement('span', 'label');
  readonly #hint = panelElement('p', 'hint', [], { id: 'ma-auto-stop-hint' });
  readonly #message = panelElement('p', 'message', [], { id: 'ma-auto-stop-message' });
  readonly #conflictText = panelElement('p', 'conflictText');
  readonly #conflict: HTMLElement;
  readonly #saveButton: HTMLButtonElement;
  readonly #buttons: HTMLElement;
  readonly #editBuffer = new EditBuffer();
  #payload: Payload | null = null;
  #isError = false;
  #isSaving = false;
  /** The auto-stop settings that the message is about. */
  #messageBasis = '';

  constructor(options: PanelSectionOptions) {
    this.#options = options;
    const { trans } = options;
    this.#saveButton = panelButton(trans.__('Save'), () => void this.#onSave(), 'ma-mod-accept');
    this.#buttons = panelElement('div', 'row', [
      this.#saveButton,
      panelButton(trans.__('Cancel'), this.#onCancel),
    ]);
    this.#conflict = panelElement('div', 'conflict', [
      this.#conflictText,
      panelElement('div', 'row', [
        panelButton(trans.__('Keep Mine'), this.#onKeepMine),
        panelButton(trans.__('Use Current'), this.#onCancel),
      ]),
    ]);
    this.node = panelElement('section', 'section', [
      panelElement('h3', 'heading', [trans.__('Auto-stop')]),
      panelElement('label', 'switch', [this.#enabledSwitch, trans.__('Enable auto-stop')]),
      panelElement('label', 'field', [this.#durationLabel, this.#durationInput]),
      this.#hint,
      this.#conflict,
      this.#message,
      this.#buttons,
      panelElement('label', 'switch', [
        this.#remindersSwitch,
        trans.__('Remind me before the stop'),
      ]),
    ]);
    this.#durationInput.placeholder = DURATION_EXAMPLE;
    this.#enabledSwitch.addEventListener('change', () => void this.#onEnabled());
    this.#remindersSwitch.addEventListener('change', () => void this.#onRemind());
    this.#durationInput.addEventListener('input', this.#onInput);
    this.#durationInput.addEventListener('keydown', this.#onKeyDown);
    this.#render();
  }

  /** Move the focus to the run time and select it. */
  focus(): void {
    this.#durationInput.focus();
    this.#durationInput.select();
  }

  /** {@inheritDoc PanelSection.update} */
  update(payload: Payload | null): void {
    const state = payload?.snapshot?.state;
    this.#payload = payload;
    this.node.hidden = !state;
    this.#editBuffer.setCurrent(durationText(state?.duration_s ?? null));
    if (!this.#editBuffer.isEditing) {
      this.#durationInput.value = this.#editBuffer.current;
    }
    if (!this.#isSaving && this.#messageBasis !== JSON.stringify(autoStopAsShown(payload))) {
      // The message is about settings that have changed since.
      this.#message.textContent = '';
    }
    this.#render();
  }

  readonly #onInput = (): void => {
    if (!this.#editBuffer.isEditing) {
      this.#editBuffer.startEditing();
    }
    this.#showMessage('', false);
  };

  readonly #onKeyDown = (event: KeyboardEvent): void => {
    // With an input method, these keys only end the composition of a character.
    if (event.isComposing) {
      return;
    }
    if (event.key === 'Escape') {
      this.#onCancel();
    } else if (event.key === 'Enter' && this.#editBuffer.isEditing) {
      void this.#onSave();
    }
  };

  readonly #onCancel = (): void => {
    this.#editBuffer.stopEditing();
    this.update(this.#payload);
    this.#showMessage('', false);
    this.#durationInput.focus();
  };

  readonly #onKeepMine = (): void => {
    this.#editBuffer.startEditing();
    this.#render();
    this.#durationInput.focus();
  };

  async #onSave(): Promise<void> {
    const entered = parseTimeInput(this.#durationInput.value, this.#options.manager.clock.now());
    const error = this.#validationError(entered);
    if (error || entered === null || this.#editBuffer.conflicting !== null) {
      this.#showMessage(error, true);
      return;
    }
    if (await this.#saveAutoStop({ ...autoStopEditFor(entered), enabled: true })) {
      this.#editBuffer.stopEditing();
      this.update(this.#payload);
    }
  }

  async #onEnabled(): Promise<void> {
    await this.#saveAutoStop({ enabled: this.#enabledSwitch.checked });
  }

  async #onRemind(): Promise<void> {
    const { manager } = this.#options;
    await this.#save(() => manager.muteReminders(!this.#remindersSwitch.checked), 'save');
  }

  #saveAutoStop(autoStop: AutoStopEdit): Promise<boolean> {
    // Everything except the run time being typed shows the current settings, and a conflict about the
    // run time has been resolved before, so the shown settings are the base of the edit.
    const edit = { auto_stop: autoStop, base: { auto_stop: autoStopAsShown(this.#payload) } };
    return this.#save(() => this.#options.manager.edit(edit), 'set');
  }

  async #save(request: () => Promise<Outcome>, kind: ChangeKind): Promise<boolean> {
    if (this.#isSaving) {
      return false;
    }
    this.#isSaving = true;
    this.#showMessage(this.#options.trans.__('Saving…'), false);
    const outcome = await request();
    this.#isSaving = false;
    this.#showOutcome(outcome, kind);
    return outcome.result.ok;
  }

  #showOutcome(outcome: Outcome, kind: ChangeKind): void {
    const { trans, manager } = this.#options;
    const text = outcomeText(trans, { outcome, kind, manager });
    this.#showMessage(text, !outcome.result.ok);
    this.#options.announce(text);
  }

  #showMessage(text: string, isError: boolean): void {
    this.#isError = isError;
    this.#messageBasis = JSON.stringify(autoStopAsShown(this.#payload));
    setText(this.#message, text);
    this.#render();
  }

  #validationError(entered: TimeInput | null): string {
    const { trans } = this.#options;
    const capabilities = this.#payload?.capabilities;
    if (entered === null) {
      return trans.__('Examples: 90m, 2h30m, 2:30, at 18:00.');
    }
    // The server checks a stop time, which is limited by the start of this run, too.
    return capabilities &&
      entered.kind === 'duration' &&
      (entered.seconds < capabilities.minDurationS || entered.seconds > capabilities.maxDurationS)
      ? trans.__('Enter a duration from %1.', boundsText(this.#options, capabilities))
      : '';
  }

  #render(): void {
    const capabilities = this.#payload?.capabilities ?? null;
    const { isEditing } = this.#editBuffer;
    this.#renderSwitches(capabilities);
    this.#renderConflict();
    setText(this.#durationLabel, this.#durationLabelText(capabilities));
    setText(
      this.#hint,
      this.#preview(capabilities) ||
        [this.#idleHint(), this.#boundsHint(capabilities)].filter(Boolean).join(' '),
    );
    this.#buttons.hidden = !isEditing;
    setAttributes(this.#message, { 'data-tone': this.#isError ? 'error' : 'success' });
    setAttributes(this.#durationInput, {
      'aria-invalid': this.#isError && isEditing ? 'true' : null,
    });
  }

  #renderSwitches(capabilities: Capabilities | null): void {
    // Nothing can be changed after the stop.
    const readOnly =
      this.#payload?.readOnly !== false || this.#options.manager.presumedStop !== null;
    if (!this.#isSaving) {
      this.#renderCheckedStates();
    }
    this.#enabledSwitch.disabled = readOnly || this.#isSaving || this.#cannotDisable(capabilities);
    this.#remindersSwitch.disabled = readOnly || this.#isSaving;
    this.#durationInput.disabled = readOnly;
    // The field is overwritten when saving ends.
    this.#durationInput.readOnly = this.#isSaving;
  }

  #renderCheckedStates(): void {
    this.#enabledSwitch.checked = this.#payload?.snapshot?.state.enabled === true;
    this.#remindersSwitch.checked = this.#payload?.remindersMuted === false;
  }

  /** Return whether auto-stop is on and the API cannot turn it off. */
  #cannotDisable(capabilities: Capabilities | null): boolean {
    return this.#enabledSwitch.checked && capabilities?.canDisable === false;
  }

  #renderConflict(): void {
    const { trans } = this.#options;
    const { conflicting } = this.#editBuffer;
    this.#conflict.hidden = conflicting === null;
    setText(
      this.#conflictText,
      trans.__('Changed elsewhere to: %1', conflicting || trans.__('(empty)')),
    );
    this.#saveButton.disabled = conflicting !== null || this.#isSaving;
  }

  /** Return the stop time that saving would set, with day and zone; empty while nothing is edited. */
  #preview(capabilities: Capabilities | null): string {
    const { manager, trans } = this.#options;
    const snapshot = this.#payload?.snapshot;
    const nowMs = manager.clock.now();
    const entered = parseTimeInput(this.#durationInput.value, nowMs);
    if (!this.#editBuffer.isEditing || entered === null || !snapshot) {
      return '';
    }
    const startMs = capabilities?.countsFrom === 'now' ? nowMs : snapshot.state.run_started_at_ms;
    const stopsAtMs = requestedStopTime(entered, nowMs, startMs);
    return stopsAtMs
      ? trans.__('Will stop at %1.', formatTimestamp(formatterFor(''), stopsAtMs))
      : '';
  }

  #idleHint(): string {
    const state = this.#payload?.snapshot?.state;
    const idle = state?.enabled === true && state.mode === 'IDLE';
    return idle ? this.#options.trans.__('Currently stops when idle.') : '';
  }

  #durationLabelText(capabilities: Capabilities | null): string {
    const { trans } = this.#options;
    return capabilities?.countsFrom === 'now'
      ? trans.__('Run for (from now)')
      : trans.__('Run time');
  }

  #boundsHint(capabilities: Capabilities | null): string {
    const { trans } = this.#options;
    if (capabilities === null) {
      return '';
    }
    const off = capabilities.canDisable ? '' : trans.__('This API cannot turn auto-stop off.');
    return [trans.__('Allowed: %1.', boundsText(this.#options, capabilities)), off]
      .filter(Boolean)
      .join(' ');
  }
}

/** Return the auto-stop settings as shown, with which the server detects a conflicting change. */
const autoStopAsShown = (payload: Payload | null): Readonly<Record<string, unknown>> =>
  payload?.instance?.autoStop ?? {};

function boundsText(
  { trans }: PanelSectionOptions,
  { minDurationS, maxDurationS }: Capabilities,
): string {
  const format = formatterFor('');
  const formatSpan = (seconds: number): string => formatDuration(format, seconds);
  return trans.__('%1 to %2', formatSpan(minDurationS), formatSpan(maxDurationS));
}

const durationText = (seconds: number | null): string =>
  seconds === null ? '' : formatDuration(formatterFor(''), seconds);
