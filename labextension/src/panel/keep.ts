/** The section that shows what keeps the instance running. */

import { findRunningCell } from '../browser/running-cell';
import { setText } from '../countdown/elements';
import { formatterFor, formatTime } from '../countdown/format';
import { keepOutcomeText } from '../text/outcomes';
import { listText } from '../text/save-text';
import type { KeepChange, Payload } from '../tokens';
import { FrontSession } from './front-session';
import { type KeepState, type KeptWork, type PlannedStop, readKeepState } from './keep-state';
import { panelButton, panelElement, type PanelSection, type PanelSectionOptions } from './section';

/** The seconds by which the button extends. */
const EXTENSION_S = 7200;
/** The seconds by which a button postpones the stop. */
const POSTPONEMENT_S = 3600;

/** Lists what keeps the instance running and until when, with buttons to change that. */
export class KeepSection implements PanelSection {
  /** {@inheritDoc PanelSection.node} */
  readonly node = panelElement('section', 'keep');
  readonly #options: PanelSectionOptions;
  readonly #rows = panelElement('div', 'keepRows');
  readonly #cellRow = panelElement('div', 'row');
  readonly #front: FrontSession;
  readonly #problem = panelElement('p', 'message', [], { 'data-tone': 'error' });
  readonly #result = panelElement('p', 'message');
  #shown = '';
  #isBusy = false;
  #canChange = false;
  #keptNames: readonly string[] = [];

  constructor(options: PanelSectionOptions) {
    this.#options = options;
    const label = options.trans.__('Keep Until This Cell Ends');
    this.#cellRow.append(panelButton(label, () => void this.#keepCell()));
    this.node.append(this.#rows, this.#cellRow, this.#problem, this.#result);
    this.#front = new FrontSession(options.shell, () => {
      this.#updateHidden();
    });
  }

  /** Stop. May be called more than once. */
  dispose(): void {
    this.#front.dispose();
  }

  /** {@inheritDoc PanelSection.update} */
  update(payload: Payload | null): void {
    this.#canChange =
      payload?.readOnly === false &&
      !!payload.instance &&
      this.#options.manager.presumedStop === null;
    const shown = JSON.stringify(payload?.keep ?? null);
    if (shown !== this.#shown) {
      this.#shown = shown;
      this.#show(readKeepState(payload?.keep));
    }
    this.#updateDisabled();
    this.#updateHidden();
  }

  #show({ work, stop, switchedMode, results, problem }: KeepState): void {
    const rows = [
      ...work.map((each) => this.#workRow(each)),
      ...(stop ? [this.#stopRow(stop)] : []),
      ...results.map(({ text, isOk }) =>
        panelElement('p', 'message', [text], { 'data-tone': isOk ? 'info' : 'error' }),
      ),
      ...(switchedMode ? [panelElement('p', 'message', [switchedMode])] : []),
    ];
    this.#rows.replaceChildren(...rows);
    setText(this.#problem, problem);
    if (!this.#isBusy) {
      // The last result is about a state that is no longer shown.
      setText(this.#result, '');
    }
    this.#keptNames = work.map(({ name }) => name);
  }

  #updateHidden(): void {
    const cell = findRunningCell(this.#options.shell);
    this.#cellRow.hidden = !this.#canChange || !cell || this.#keptNames.includes(cell.name);
    const texts = [this.#result, this.#problem].some(({ textContent }) => textContent !== '');
    this.node.hidden = this.#rows.childElementCount === 0 && this.#cellRow.hidden && !texts;
  }

  #workRow(work: KeptWork): HTMLElement {
    const { trans } = this.#options;
    const { id } = work;
    return this.#row(work.name, this.#workText(work), [
      this.#button(trans.__('Let Go'), { action: 'end', id }),
      this.#button(trans.__('+2 h'), { action: 'extend', id, seconds: EXTENSION_S }),
    ]);
  }

  #stopRow(stop: PlannedStop): HTMLElement {
    const { trans } = this.#options;
    const postponement = { action: 'postpone-stop', seconds: POSTPONEMENT_S } as const;
    return this.#row(stop.name || trans.__('Stop when nothing works'), this.#stopText(stop), [
      this.#button(trans.__('Keep 1 h'), postponement),
      this.#button(trans.__('Do Not Stop'), { action: 'cancel-stop' }),
    ]);
  }

  #row(name: string, text: string, buttons: readonly HTMLElement[]): HTMLElement {
    const group = { role: 'group', 'aria-label': name };
    return panelElement('div', 'row', [panelElement('span', 'hint', [text]), ...buttons], group);
  }

  #workText({ name, reason, sinceMs, untilMs, stopsAfterwards }: KeptWork): string {
    const { trans } = this.#options;
    const work = reason ? trans.__('%1 (%2)', name, reason) : name;
    const times = [this.#time(sinceMs), this.#time(untilMs)] as const;
    return stopsAfterwards
      ? trans.__('Kept by %1 since %2, until %3 at most, then stopped', work, ...times)
      : trans.__('Kept by %1 since %2, until %3 at most', work, ...times);
  }

  #stopText({ name, stopsAtMs, waitingFor }: PlannedStop): string {
    const { trans } = this.#options;
    if (name === '' && stopsAtMs !== null) {
      return trans.__('Nothing is working, so the instance stops at %1', this.#time(stopsAtMs));
    }
    return stopsAtMs === null
      ? trans.__(
          'After “%1”, the instance stops as soon as this has ended: %2',
          name,
          listText(trans, waitingFor),
        )
      : trans.__('After “%1”, the instance stops at %2', name, this.#time(stopsAtMs));
  }

  #time(timeMs: number): string {
    return formatTime(formatterFor(''), timeMs, this.#options.manager.clock.now());
  }

  #button(label: string, change: KeepChange): HTMLElement {
    return panelButton(label, () => void this.#change(change));
  }

  async #keepCell(): Promise<void> {
    const cell = findRunningCell(this.#options.shell);
    if (cell) {
      await this.#change({ action: 'keep-cell', id: cell.kernelId, name: cell.name });
    }
  }

  async #change(change: KeepChange): Promise<void> {
    const { manager, trans, announce } = this.#options;
    this.#setBusy(true);
    const outcome = await manager.changeKeep(change);
    this.#setBusy(false);
    const text = keepOutcomeText(trans, outcome, manager);
    this.#result.dataset.tone = outcome.result.ok ? 'info' : 'error';
    setText(this.#result, text);
    this.#updateHidden();
    announce(text);
  }

  #setBusy(isBusy: boolean): void {
    this.#isBusy = isBusy;
    this.#updateDisabled();
  }

  #updateDisabled(): void {
    for (const button of this.node.querySelectorAll('button')) {
      button.disabled = this.#isBusy || !this.#canChange;
    }
  }
}
