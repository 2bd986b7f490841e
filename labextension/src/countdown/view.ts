/** The elements of the countdown: shows a state and reports clicks. */

import type { Feedback, Recipient } from './actions';
import { createElement, setAttributes, setText } from './elements';
import { feedbackText, formatFeedback, reasonText } from './feedback';
import { formatDuration, formatPhase, type Formatter, formatTime, formatTimestamp } from './format';
import type { Snapshot } from './messages';
import { isCounting, type PhaseResult, URGENT_S } from './phase';

/** A request whose response is delayed. */
export interface DelayedRequest {
  /** The recipient. */
  readonly recipient: Recipient;
  /** The equivalent terminal command; empty when there is none. */
  readonly command: string;
}

/** Everything that the countdown shows. */
export interface ViewState {
  /** The formatter of the language. */
  readonly format: Formatter;
  /** The last known state of the instance. */
  readonly snapshot: Snapshot;
  /** The stop time to show, which may have been requested only. */
  readonly stopsAtMs: number | null;
  /** The server's time; without a connection, the time of the snapshot. */
  readonly nowMs: number;
  /** The phase and the time left at `nowMs`. */
  readonly phaseResult: PhaseResult;
  /** Whether there is no connection, so that everything is as of `nowMs`. */
  readonly isDisconnected: boolean;
  /** Whether `nowMs` is synchronized with the server's clock. */
  readonly isSynced: boolean;
  /** Why the run cannot be extended, as a key of `STRINGS`, else `null`. */
  readonly extendBlockedReason: string | null;
  /** Why the run cannot be shortened, as a key of `STRINGS`, else `null`. */
  readonly shortenBlockedReason: string | null;
  /** The message about the last click; `null` when there is none. */
  readonly feedback: Feedback | null;
  /** The request whose response is delayed; `null` when there is none. */
  readonly delayedRequest: DelayedRequest | null;
}

/** Callbacks for the actions of a user. */
export interface ViewEvents {
  /** **+1 h** or **−1 h** was clicked; in seconds. */
  readonly onStep: (seconds: number) => void;
  /** A duration was entered or, for a preview, is being typed. */
  readonly onCustomDuration: (input: string, isPreview: boolean) => void;
  /** **Cancel** was clicked. */
  readonly onCancel: () => void;
}

const HOUR_S = 3600;
const cssClass = (name: string): Record<string, string> => ({ class: `ma-Countdown-${name}` });
const countdownElement = <K extends keyof HTMLElementTagNameMap>(
  tag: K,
  name: string,
  attributes: Record<string, string> = {},
  children: (Node | string)[] = [],
): HTMLElementTagNameMap[K] => createElement(tag, { ...cssClass(name), ...attributes }, children);
const actionButton = (action: string): HTMLButtonElement =>
  countdownElement('button', 'button', { type: 'button', 'data-action': action });

/** The elements of the countdown, appended to an element of the page. */
export class CountdownView {
  /** The outermost element, where page events are sent and received. */
  readonly root: HTMLDivElement;
  readonly #events: ViewEvents;
  readonly #phase = countdownElement('span', 'phase');
  readonly #name = countdownElement('span', 'name');
  readonly #demo = countdownElement('span', 'demo');
  readonly #timeLeft = countdownElement('span', 'timeLeft');
  readonly #seconds = countdownElement('span', 'seconds');
  readonly #left = countdownElement('span', 'seconds');
  readonly #unsyncedMark = countdownElement('span', 'unsynced', { role: 'img' }, ['±']);
  readonly #timer = countdownElement('div', 'timer', { role: 'timer', 'aria-live': 'off' }, [
    this.#timeLeft,
    this.#seconds,
    this.#left,
    this.#unsyncedMark,
  ]);
  readonly #barFill = countdownElement('div', 'barFill');
  readonly #bar = countdownElement('div', 'bar', {}, [this.#barFill]);
  readonly #stopTime = countdownElement('time', 'stopTime');
  readonly #reason = countdownElement('p', 'reason');
  readonly #shortenButton = actionButton('shorten');
  readonly #extendButton = actionButton('extend');
  readonly #durationInput = countdownElement('input', 'input', {
    placeholder: '2h30m',
    'data-lm-suppress-shortcuts': 'true',
  });
  readonly #customButton = actionButton('extend-custom');
  readonly #feedback = countdownElement('p', 'feedback');
  readonly #delayText = createElement('p');
  readonly #command = countdownElement('code', 'command', { tabindex: '0' });
  readonly #copyButton = actionButton('copy');
  readonly #cancelButton = actionButton('cancel');
  readonly #delayedRequest = countdownElement('div', 'delayedRequest', {}, [
    this.#delayText,
    this.#command,
    countdownElement('div', 'row', {}, [this.#copyButton, this.#cancelButton]),
  ]);
  readonly #liveRegion = countdownElement('div', 'liveRegion', { role: 'status' });
  #announcedFeedback: Feedback | null = null;

  constructor(parent: HTMLElement, events: ViewEvents) {
    this.#events = events;
    this.root = createElement(
      'div',
      {
        role: 'group',
        // MathJax leaves names with two dollar signs alone.
        class: 'ma-Countdown mathjax_ignore tex2jax_ignore',
      },
      [
        countdownElement('div', 'head', {}, [this.#phase, this.#name, this.#demo]),
        this.#timer,
        this.#bar,
        this.#stopTime,
        this.#reason,
        countdownElement('div', 'row', {}, [
          this.#extendButton,
          this.#shortenButton,
          countdownElement('span', 'customDuration', {}, [this.#durationInput, this.#customButton]),
        ]),
        this.#feedback,
        this.#delayedRequest,
        this.#liveRegion,
      ],
    );
    this.root.addEventListener('click', this.#onClick);
    this.root.addEventListener('keydown', this.#onKey);
    this.root.addEventListener('input', () => {
      this.#onEntered(true);
    });
    parent.append(this.root);
  }

  /** Show a state. Elements that show it already are not changed. */
  update(state: ViewState): void {
    const { format, phaseResult, isDisconnected } = state;
    const { id, name, demo } = state.snapshot.state;
    const counting = isCounting(phaseResult.phase);
    setAttributes(this.root, {
      lang: format('locale'),
      'aria-label': format('title'),
      'data-instance': id,
      'data-phase': isDisconnected ? 'disconnected' : phaseResult.phase,
    });
    const phase = isCounting(phaseResult.phase) ? format(phaseResult.phase) : '';
    setText(this.#phase, isDisconnected ? format('notConnected') : phase);
    setText(this.#name, name);
    setText(this.#demo, demo ? format('demo') : '');
    this.#renderTime(state, counting);
    this.#renderBar(state, counting);
    this.#renderStopTime(state, counting);
    this.#renderButtons(state);
    this.#renderReason(state);
    this.#renderDelayedRequest(state);
    this.#renderFeedback(state);
  }

  /** Announce a text to screen readers, once and politely. */
  announce(text: string): void {
    // A screen reader does not announce a text that is equal to the last one.
    this.#liveRegion.textContent = this.#liveRegion.textContent === text ? `${text}\u00a0` : text;
  }

  /** Clear the field of the custom duration, or mark its content as invalid. */
  setDurationValidity(isValid: boolean): void {
    setAttributes(this.#durationInput, { 'aria-invalid': isValid ? null : 'true' });
    if (isValid) {
      this.#durationInput.value = '';
    }
  }

  /** Remove the elements, and with them their listeners. May be called more than once. */
  dispose(): void {
    this.root.remove();
  }

  #renderTime(
    { format, phaseResult, isDisconnected, isSynced }: ViewState,
    counting: boolean,
  ): void {
    const remainingS = phaseResult.remainingS ?? 0;
    const secondsShownApart = counting && remainingS >= URGENT_S && !isDisconnected;
    setAttributes(this.#timer, { 'aria-label': format('title') });
    setText(this.#timeLeft, formatPhase(format, phaseResult));
    setText(
      this.#seconds,
      secondsShownApart ? format('s', { n: String(remainingS % 60).padStart(2, '0') }) : '',
    );
    setText(this.#left, counting ? format('left') : '');
    this.#unsyncedMark.hidden = isSynced || isDisconnected || !counting;
    setAttributes(this.#unsyncedMark, { title: format('unsynced') });
  }

  #renderBar({ snapshot, stopsAtMs, nowMs, isDisconnected }: ViewState, counting: boolean): void {
    const start = snapshot.state.run_started_at_ms;
    this.#bar.hidden = !counting || isDisconnected || start === null;
    if (start !== null && stopsAtMs !== null) {
      const used = Math.max((nowMs - start) / (stopsAtMs - start), 0) * 100;
      setAttributes(this.#barFill, { style: `width:${used.toFixed(1)}%` });
    }
  }

  #renderStopTime(
    { format, stopsAtMs, nowMs, isDisconnected, snapshot }: ViewState,
    counting: boolean,
  ): void {
    const asOf = format('asOf', { timestamp: formatTimestamp(format, nowMs) });
    if (stopsAtMs === null || !counting) {
      setText(this.#stopTime, isDisconnected ? asOf : '');
      return;
    }
    const stop = formatTimestamp(format, stopsAtMs);
    const time = isDisconnected ? stop : formatTime(format, stopsAtMs, nowMs);
    setText(this.#stopTime, format('stopsAt', { time }) + (isDisconnected ? ` · ${asOf}` : ''));
    const { duration_s: durationS, api } = snapshot.state;
    const duration = durationS !== null && formatDuration(format, durationS);
    const reason = duration && format('reason', { duration });
    setAttributes(this.#stopTime, { title: [stop, reason, api].filter(Boolean).join(' · ') });
  }

  #renderButtons({ format, extendBlockedReason, shortenBlockedReason }: ViewState): void {
    const renderButton = (
      element: HTMLElement,
      text: string,
      name: string,
      code: string | null,
    ): void => {
      setText(element, text);
      setAttributes(element, {
        'aria-disabled': code === null ? null : 'true',
        title: code === null ? name : reasonText(format, code),
      });
    };
    renderButton(
      this.#extendButton,
      format('extendButton'),
      format('extendName'),
      extendBlockedReason,
    );
    renderButton(
      this.#shortenButton,
      format('shortenButton'),
      format('shortenName'),
      shortenBlockedReason,
    );
    // A typed duration can extend or shorten, so the button is blocked only if both are.
    renderButton(
      this.#customButton,
      format('extend'),
      format('extend'),
      extendBlockedReason && shortenBlockedReason,
    );
    setAttributes(this.#durationInput, { 'aria-label': format('durationInput') });
  }

  #renderReason({
    format,
    phaseResult,
    extendBlockedReason,
    shortenBlockedReason,
    delayedRequest,
    snapshot,
  }: ViewState): void {
    const blockedReason = extendBlockedReason === shortenBlockedReason && extendBlockedReason;
    // The stop time may have passed, and the run can still be extended.
    const isUnknown = phaseResult.phase === (extendBlockedReason ?? 'unknown');
    const code = (isUnknown && snapshot.state.unknown_reason) || blockedReason;
    const text = code && delayedRequest === null ? reasonText(format, code) : '';
    setText(this.#reason, text === this.#timeLeft.textContent ? '' : text);
  }

  #renderDelayedRequest({ format, delayedRequest }: ViewState): void {
    const appears = this.#delayedRequest.hidden && delayedRequest !== null;
    this.#delayedRequest.hidden = delayedRequest === null;
    if (delayedRequest === null) {
      return;
    }
    const { recipient, command } = delayedRequest;
    const delayText =
      recipient === 'kernel' ? formatFeedback(format, 'kernel-busy') : format('noResponseYet');
    setText(this.#delayText, delayText + (command ? format('terminal') : ''));
    setText(this.#command, command);
    setText(this.#cancelButton, format('cancel'));
    if (appears) {
      setText(this.#copyButton, format('copy'));
      this.#copyButton.hidden = !command;
      this.announce(this.#delayText.textContent ?? '');
    }
  }

  #feedbackText({ format, feedback, nowMs, phaseResult, snapshot }: ViewState): string {
    // The run time may have been changed again since the click.
    const durationS = snapshot.state.duration_s ?? feedback?.durationS ?? null;
    return feedback
      ? feedbackText(format, { ...feedback, durationS }, nowMs, phaseResult.remainingS)
      : '';
  }

  #renderFeedback(state: ViewState): void {
    const { feedback } = state;
    const text = this.#feedbackText(state);
    // After a click on a blocked button, the reason may be shown already.
    const isShownElsewhere =
      text === this.#reason.textContent || text === this.#timeLeft.textContent;
    setText(this.#feedback, isShownElsewhere ? '' : text);
    setAttributes(this.#feedback, { 'data-tone': feedback?.tone ?? null });
    if (feedback !== this.#announcedFeedback) {
      this.announce(text);
    }
    this.#announcedFeedback = feedback;
  }

  readonly #onClick = (event: Event): void => {
    const pressed = (event.target as Element).closest<HTMLElement>('[data-action]')?.dataset[
      'action'
    ];
    if (pressed === 'extend' || pressed === 'shorten') {
      this.#events.onStep(pressed === 'extend' ? HOUR_S : -HOUR_S);
    } else if (pressed === 'extend-custom') {
      this.#onEntered(false);
    } else if (pressed === 'copy') {
      void this.#copyCommand();
    } else if (pressed === 'cancel') {
      // The focus moves to another button, because the clicked one disappears.
      this.#extendButton.focus();
      this.#events.onCancel();
    }
  };

  #onEntered(isPreview: boolean): void {
    this.#events.onCustomDuration(this.#durationInput.value, isPreview);
  }

  readonly #onKey = (event: KeyboardEvent): void => {
    // A form would not work, because JupyterLab prevents the default action of Enter in a cell.
    if (event.key === 'Enter' && event.target === this.#durationInput && !event.isComposing) {
      event.preventDefault();
      this.#customButton.click();
    }
  };

  async #copyCommand(): Promise<void> {
    try {
      await navigator.clipboard.writeText(this.#command.textContent ?? '');
      this.#copyButton.textContent = String(this.#copyButton.textContent).replace(/^(✓ )?/, '✓ ');
    } catch {
      // Without permission for the clipboard, the command is selected for copying by keyboard.
      getSelection()?.selectAllChildren(this.#command);
    }
  }
}
