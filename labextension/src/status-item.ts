/** The status item: the time left in the status bar or, without one, in the top bar. */

import type { TranslationBundle } from '@jupyterlab/translation';
import { Widget } from '@lumino/widgets';
import type { Timers } from './countdown/clock';
import { createElement, setAttributes, setText } from './countdown/elements';
import {
  formatPhase,
  type Formatter,
  formatterFor,
  formatTime,
  formatTimestamp,
  stopAnnouncement,
} from './countdown/format';
import type { InstanceState } from './countdown/messages';
import { isCounting, type PhaseResult, SOON_S, URGENT_S } from './countdown/phase';
import { ManagerTicker } from './manager/manager-ticker';
import { presumedStopText } from './text/save-text';
import { currentPhase, failureText, isOutdated } from './text/status-text';
import type { IManager } from './tokens';

/** Options of {@link StatusItem}. */
export interface StatusItemOptions {
  /** Provides the state. */
  readonly manager: IManager;
  /** The translations. */
  readonly trans: TranslationBundle;
  /** Clock and timers. */
  readonly timers: Timers;
  /** Called on a click, with whether it was made with the keyboard. */
  readonly onClick: (byKeyboard: boolean) => void;
}

/** A button with the time left and an indicator of the phase. */
export class StatusItem extends Widget {
  readonly #options: StatusItemOptions;
  readonly #indicator = createElement('span', {
    class: 'ma-Status-indicator',
    'aria-hidden': 'true',
  });
  readonly #label = createElement('span', { class: 'ma-Status-label' });
  readonly #button = createElement('button', { type: 'button', class: 'ma-Status-button' }, [
    this.#indicator,
    this.#label,
  ]);
  readonly #ticker: ManagerTicker;
  #titlePrefix = '';

  constructor(options: StatusItemOptions) {
    super();
    this.#options = options;
    this.addClass('ma-Status');
    this.node.append(this.#button);
    this.#button.addEventListener('click', ({ detail }) => {
      options.onClick(detail === 0);
    });
    this.#ticker = new ManagerTicker(options, () => this.#evaluate());
    this.#ticker.update();
  }

  /** Stop and remove the item. May be called more than once. */
  override dispose(): void {
    if (!this.isDisposed) {
      this.#ticker.dispose();
      this.#setTitlePrefix('');
      super.dispose();
    }
  }

  #evaluate(): number | null {
    const { manager, trans } = this.#options;
    const state = manager.payload?.snapshot?.state;
    this.setHidden(!state && manager.failure?.code === 'no-backend');
    const stopText = presumedStopText(trans, manager);
    if (stopText) {
      this.#render('stopped', stopText, stopText);
      return null;
    }
    if (!state) {
      this.#showUnavailable(this.#unavailableReason());
      return null;
    }
    const nowMs = manager.clock.now();
    const phaseResult = currentPhase(state, nowMs);
    this.#showPhase(state, phaseResult, nowMs);
    return msUntilNextUpdate(state, phaseResult, nowMs);
  }

  #unavailableReason(): string {
    const { manager, trans } = this.#options;
    const { failure, payload } = manager;
    return payload?.problem?.message ?? (failure ? failureText(trans, failure) : '');
  }

  #showUnavailable(reason: string): void {
    const { manager, trans } = this.#options;
    const shown = manager.payload?.readOnly
      ? trans.__('Set Up ModelArts')
      : trans.__('No response');
    this.#render('unknown', reason ? shown : '…', reason);
  }

  #showPhase(state: InstanceState, phaseResult: PhaseResult, nowMs: number): void {
    const format = formatterFor('');
    const name = this.#options.trans.__('ModelArts %1', state.name);
    const { stops_at_ms: stopsAtMs } = state;
    const asOf = this.#asOf(format, nowMs);
    const renderTexts = (title: string, ...texts: [shown: string, spoken: string]): void => {
      const [shown, spoken] = texts.map((each) => [each, asOf].filter(Boolean).join(' · '));
      this.#render(phaseResult.phase, shown ?? '', title, spoken);
    };
    if (stopsAtMs === null || !isCounting(phaseResult.phase)) {
      const text = formatPhase(format, phaseResult);
      renderTexts(name, text, text);
      return;
    }
    const minutes = Math.max(0, (phaseResult.remainingS ?? 0) - secondsOverMinute(phaseResult));
    renderTexts(
      `${name} · ${format('stopsAt', { time: formatTimestamp(format, stopsAtMs) })}`,
      this.#timeLeftText(format, { stopsAtMs, phaseResult, nowMs }),
      stopAnnouncement(format, stopsAtMs, minutes),
    );
  }

  /** Return when the state was observed, if it may be out of date, else an empty text. */
  #asOf(format: Formatter, nowMs: number): string {
    const { manager } = this.#options;
    const time = formatTime(format, manager.payload?.snapshot?.as_of_ms ?? 0, nowMs);
    return isOutdated(manager) ? format('asOf', { timestamp: time }) : '';
  }

  #timeLeftText(
    format: Formatter,
    {
      stopsAtMs,
      phaseResult,
      nowMs,
    }: { stopsAtMs: number; phaseResult: PhaseResult; nowMs: number },
  ): string {
    const { statusShows } = this.#options.manager.preferences;
    const unsyncedMark = this.#options.manager.clock.isSynced ? '' : '± ';
    const timeLeft = unsyncedMark + formatPhase(format, phaseResult);
    const time = format('stopsAt', { time: formatTime(format, stopsAtMs, nowMs) });
    const stopsIn = this.#options.trans.__('Stops in %1', timeLeft);
    const clockTime = formatTime(format, stopsAtMs, nowMs);
    return { 'time-left': stopsIn, 'stop-time': time, both: `${stopsIn} · ${clockTime}` }[
      statusShows
    ];
  }

  /** Put a text before the title of the page, which JupyterLab changes with the current document. */
  #setTitlePrefix(prefix: string): void {
    const { title } = document;
    const own = title.startsWith(this.#titlePrefix) ? title.slice(this.#titlePrefix.length) : title;
    this.#titlePrefix = prefix;
    if (title !== prefix + own) {
      document.title = prefix + own;
    }
  }

  #render(phase: string, shown: string, title: string, spoken = shown): void {
    this.#setTitlePrefix(phase === 'urgent' ? `${shown} · ` : '');
    setText(this.#label, shown);
    setAttributes(this.node, { 'data-phase': phase });
    setAttributes(this.#button, { title, 'aria-label': `ModelArts: ${spoken}` });
  }
}

/** Return the seconds over the whole minute. The text for screen readers changes once a minute. */
function secondsOverMinute({ remainingS }: PhaseResult): number {
  return (remainingS ?? 0) % 60;
}

/** Return the milliseconds until the text changes; `null` if it does not. */
function msUntilNextUpdate(
  state: InstanceState,
  phaseResult: PhaseResult,
  nowMs: number,
): number | null {
  const leftMs = (state.stops_at_ms ?? 0) - nowMs;
  if (phaseResult.phase === 'stopping') {
    return Math.max(leftMs + 60_001, 1_000);
  }
  if (!isCounting(phaseResult.phase)) {
    return null;
  }
  const step = (phaseResult.remainingS ?? 0) > URGENT_S ? 60_000 : 1_000;
  const phases = [SOON_S, URGENT_S].map((s) => leftMs - (s + 1) * 1_000 + 1);
  return Math.min((leftMs % step) + 1, leftMs, ...phases.filter((ms) => ms > 0));
}
