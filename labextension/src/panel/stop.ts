/** The section that keeps the instance running until the morning, or stops it now. */

import { setAttributes, setText } from '../countdown/elements';
import { formatClockTime, formatterFor, formatTimestamp } from '../countdown/format';
import type { InstanceState } from '../countdown/messages';
import { parseTimeInput } from '../countdown/time-input';
import { outcomeText } from '../text/outcomes';
import { currentPhase } from '../text/status-text';
import { COMMAND_IDS, type Payload } from '../tokens';
import { panelButton, panelElement, type PanelSection, type PanelSectionOptions } from './section';

/** The time of day until which the instance may be kept. */
const MORNING = 'at 09:00';

/** The buttons **Off until 09:00**, where the API can set that stop time, and **Stop Now**. */
export class StopSection implements PanelSection {
  /** {@inheritDoc PanelSection.node} */
  readonly node: HTMLElement;
  readonly #options: PanelSectionOptions;
  readonly #morningButton: HTMLButtonElement;
  readonly #preview = panelElement('p', 'hint', [], { id: 'ma-morning-preview' });
  readonly #stopButton: HTMLButtonElement;
  readonly #message = panelElement('p', 'message');

  constructor(options: PanelSectionOptions) {
    this.#options = options;
    const { commands, trans } = options;
    this.#morningButton = panelButton('', () => void this.#onMorning());
    setAttributes(this.#morningButton, { 'aria-describedby': this.#preview.id });
    this.#stopButton = panelButton(
      trans.__('Stop Now…'),
      () => void commands.execute(COMMAND_IDS.stop),
      'ma-mod-warn',
    );
    this.node = panelElement('section', 'stop', [
      // The preview is about the button above it, and stands apart from the one that stops the instance.
      this.#morningButton,
      this.#preview,
      panelElement('div', 'row', [this.#stopButton]),
      this.#message,
    ]);
  }

  /** {@inheritDoc PanelSection.update} */
  update(payload: Payload | null): void {
    const { commands, trans } = this.#options;
    this.node.hidden = !this.#canStop(payload);
    const morningMs = this.#morningMs(payload);
    const format = formatterFor('');
    this.#morningButton.hidden = morningMs === null;
    setText(
      this.#morningButton,
      morningMs === null ? '' : trans.__('Off until %1', formatClockTime(format, morningMs)),
    );
    setText(
      this.#preview,
      morningMs === null ? '' : trans.__('Will stop at %1.', formatTimestamp(format, morningMs)),
    );
    this.#preview.hidden = morningMs === null;
    this.#stopButton.hidden = !commands.hasCommand(COMMAND_IDS.stop);
  }

  #canStop(payload: Payload | null): boolean {
    const { presumedStop, clock } = this.#options.manager;
    const state = payload?.snapshot?.state;
    const isStopped = !!state && currentPhase(state, clock.now()).phase === 'stopped';
    return payload?.readOnly === false && !!payload.instance && !presumedStop && !isStopped;
  }

  /** Return the next morning, if it is a later stop time that the API can set; else `null`. */
  #morningMs(payload: Payload | null): number | null {
    const state = payload?.snapshot?.state;
    const entered = parseTimeInput(MORNING, this.#options.manager.clock.now());
    return state && entered?.kind === 'at' && canPostpone(state, entered.ms) ? entered.ms : null;
  }

  async #onMorning(): Promise<void> {
    const { manager, trans, announce } = this.#options;
    const { payload } = manager;
    const morningMs = this.#morningMs(payload);
    if (morningMs === null) {
      return;
    }
    this.#morningButton.disabled = true;
    const outcome = await manager.edit({
      auto_stop: { enabled: true, until_ms: morningMs },
      base: { auto_stop: payload?.instance?.autoStop ?? {} },
    });
    this.#morningButton.disabled = false;
    const text = outcomeText(trans, { outcome, kind: 'set', manager });
    this.#message.dataset.tone = outcome.result.ok ? 'info' : 'error';
    setText(this.#message, text);
    announce(text);
  }
}

/** Return whether the API can set a stop time, which is later than the current one. */
function canPostpone({ bounds, stops_at_ms: stopsAtMs }: InstanceState, timeMs: number): boolean {
  return (
    bounds !== null &&
    timeMs > Math.max(bounds.earliest_stop_ms, stopsAtMs ?? 0) &&
    timeMs <= bounds.latest_stop_ms
  );
}
