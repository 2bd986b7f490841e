/** The section that shows what works on the instance, with the switches that depend on it. */

import { RestartableTimer, type Timers } from '../countdown/clock';
import { createElement, setText } from '../countdown/elements';
import { formatDuration, formatterFor } from '../countdown/format';
import { keepOutcomeText } from '../text/outcomes';
import { failureText } from '../text/status-text';
import { BackendError, type KeepChange, type Payload } from '../tokens';
import { type KeepState, readKeepState } from './keep-state';
import { panelElement, type PanelSection, type PanelSectionOptions, panelSwitch } from './section';

/** The time between two questions while the section is open. */
const REFRESH_MS = 30_000;
/** The times without work that are offered, in seconds. */
const IDLE_TIMES_S = [600, 1200, 1800, 3600, 7200];
const DEFAULT_IDLE_TIME_S = 1800;

/** Options of {@link ActivitySection}. */
export interface ActivitySectionOptions extends PanelSectionOptions {
  /** Clock and timers. */
  readonly timers: Timers;
}

/** A collapsed section that asks what works when it is opened, and again while it is open. */
export class ActivitySection implements PanelSection {
  /** {@inheritDoc PanelSection.node} */
  readonly node = panelElement('details', 'section');
  readonly #options: ActivitySectionOptions;
  readonly #timer: RestartableTimer;
  readonly #keepSwitch = panelSwitch();
  readonly #stopSwitch = panelSwitch();
  readonly #idleTime: HTMLSelectElement;
  readonly #lines = panelElement('div', 'findings');
  readonly #result = panelElement('p', 'message', [], { hidden: '' });
  #whileBusyId = '';
  #isChanging = false;

  constructor(options: ActivitySectionOptions) {
    this.#options = options;
    this.#timer = new RestartableTimer(options.timers);
    const { trans } = options;
    this.#idleTime = createIdleTimes(trans.__('Time without work'));
    const hint = trans.__('Announced 10 min before. Unknown sources count as working.');
    this.node.append(
      panelElement('summary', 'heading', [trans.__('Activity')]),
      this.#lines,
      panelElement('label', 'switch', [this.#keepSwitch, trans.__('Keep while anything works')]),
      panelElement('div', 'switch', [
        createElement('label', { class: 'ma-Panel-switch' }, [
          this.#stopSwitch,
          trans.__('Stop when nothing works'),
        ]),
        this.#idleTime,
      ]),
      panelElement('p', 'hint', [hint]),
      this.#result,
    );
    this.node.addEventListener('toggle', () => void this.#refresh());
    this.#keepSwitch.addEventListener('change', () => void this.#onKeep());
    this.#stopSwitch.addEventListener('change', () => void this.#onStop());
    this.#idleTime.addEventListener('change', () => {
      if (this.#stopSwitch.checked) {
        void this.#onStop();
      }
    });
  }

  /** Stop asking. May be called more than once. */
  dispose(): void {
    this.#timer.clear();
  }

  /** {@inheritDoc PanelSection.update} */
  update(payload: Payload | null): void {
    this.node.hidden = !payload?.instance;
    if (this.#isChanging) {
      return;
    }
    this.#setDisabled(payload?.readOnly !== false || this.#options.manager.presumedStop !== null);
    this.#showSwitches(readKeepState(payload?.keep));
  }

  #showSwitches({ work, idleTimeS }: KeepState): void {
    this.#whileBusyId = work.find(({ kind }) => kind === 'while-busy')?.id ?? '';
    this.#keepSwitch.checked = this.#whileBusyId !== '';
    this.#stopSwitch.checked = idleTimeS !== null;
    if (idleTimeS !== null) {
      selectIdleTime(this.#idleTime, idleTimeS);
    }
  }

  async #onKeep(): Promise<void> {
    await this.#change(
      this.#keepSwitch.checked
        ? { action: 'keep-while-busy' }
        : { action: 'end', id: this.#whileBusyId },
    );
  }

  async #onStop(): Promise<void> {
    const seconds = this.#stopSwitch.checked ? Number(this.#idleTime.value) : 0;
    await this.#change({ action: 'stop-when-idle', seconds });
  }

  async #change(change: KeepChange): Promise<void> {
    const { manager, trans, announce } = this.#options;
    this.#isChanging = true;
    this.#setDisabled(true);
    const outcome = await manager.changeKeep(change);
    this.#isChanging = false;
    this.update(manager.payload);
    const text = keepOutcomeText(trans, outcome, manager);
    this.#result.dataset.tone = outcome.result.ok ? 'info' : 'error';
    setText(this.#result, text);
    announce(text);
    void this.#refresh();
  }

  #setDisabled(isDisabled: boolean): void {
    for (const control of [this.#keepSwitch, this.#stopSwitch, this.#idleTime]) {
      control.disabled = isDisabled;
    }
  }

  /** Ask now if the section is open, and again after a while. */
  async #refresh(): Promise<void> {
    this.#timer.clear();
    if (!this.node.open) {
      return;
    }
    const { manager, trans } = this.#options;
    if (isShown(this.node)) {
      if (this.#lines.childElementCount === 0) {
        this.#lines.replaceChildren(trans.__('Checking…'));
      }
      try {
        this.#showLines(await manager.readActivity());
      } catch (error) {
        const failure = error instanceof BackendError ? error : new BackendError('failed');
        this.#showLines([failureText(trans, failure)]);
      }
    }
    this.#timer.set(REFRESH_MS, () => void this.#refresh());
  }

  #showLines(lines: readonly string[]): void {
    this.#lines.replaceChildren(...lines.map((line) => createElement('p', {}, [line])));
  }
}

/** Return whether an element is shown; a page in the background, or a collapsed sidebar, does not ask. */
function isShown(element: Partial<Pick<Element, 'checkVisibility'>>): boolean {
  return !document.hidden && (element.checkVisibility?.() ?? true);
}

function createIdleTimes(label: string): HTMLSelectElement {
  const select = panelElement('select', 'input', [], { 'aria-label': label });
  for (const seconds of IDLE_TIMES_S) {
    addIdleTime(select, seconds);
  }
  select.value = String(DEFAULT_IDLE_TIME_S);
  return select;
}

function addIdleTime(select: HTMLSelectElement, seconds: number): void {
  const value = String(seconds);
  select.append(createElement('option', { value }, [formatDuration(formatterFor(''), seconds)]));
}

/** Select a time; one that a command has set is added. */
function selectIdleTime(select: HTMLSelectElement, seconds: number): void {
  const values = [...select.options].map(({ value }) => Number(value));
  if (!values.includes(seconds)) {
    addIdleTime(select, seconds);
  }
  select.value = String(seconds);
}
