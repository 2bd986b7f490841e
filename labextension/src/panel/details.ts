/** The panel's header and its list of details. */

import type { TranslationBundle } from '@jupyterlab/translation';
import { setAttributes, setText } from '../countdown/elements';
import { formatterFor, formatTimestamp } from '../countdown/format';
import { isOutdated } from '../text/status-text';
import type { IManager, Payload } from '../tokens';
import { panelButton, panelElement, type PanelSection, type PanelSectionOptions } from './section';

/** Shows the name of the instance, and when the state was observed if it may be out of date. */
export class HeaderSection implements PanelSection {
  /** {@inheritDoc PanelSection.node} */
  readonly node: HTMLElement;
  readonly #trans: TranslationBundle;
  readonly #manager: IManager;
  readonly #name = panelElement('h2', 'name');
  readonly #demo = panelElement('span', 'demo');
  readonly #refreshButton: HTMLButtonElement;
  readonly #observedAt = panelElement('p', 'observedAt');
  readonly #timeZone = panelElement('p', 'timeZone');

  constructor({ trans, manager }: PanelSectionOptions) {
    this.#trans = trans;
    this.#manager = manager;
    const refreshButton = panelElement('button', 'refresh', ['↻'], {
      ...{ type: 'button', title: trans.__('Refresh') },
      'aria-label': trans.__('Refresh'),
    });
    refreshButton.addEventListener('click', () => {
      refreshButton.disabled = true;
      void manager.refresh(true).finally(() => {
        refreshButton.disabled = false;
      });
    });
    this.#refreshButton = refreshButton;
    const head = panelElement('div', 'head', [this.#name, refreshButton]);
    this.node = panelElement('div', 'header', [
      ...[head, this.#demo, this.#observedAt, this.#timeZone],
    ]);
  }

  /** Move the focus to the first button of the panel. */
  focus(): void {
    this.#refreshButton.focus();
  }

  /** {@inheritDoc PanelSection.update} */
  update(payload: Payload | null): void {
    const instance = payload?.instance;
    setText(this.#name, instance?.name || 'ModelArts');
    setText(this.#demo, instance?.demo ? this.#trans.__('DEMO · local emulator') : '');
    setText(this.#observedAt, this.#observedAtText(payload));
    setText(this.#timeZone, this.#timeZoneText(payload?.utcOffsetS ?? null));
  }

  /** Return which time zones page and kernels use, if the times of day differ. */
  #timeZoneText(utcOffsetS: number | null): string {
    const ownOffsetS = -60 * new Date(this.#manager.clock.now()).getTimezoneOffset();
    if (utcOffsetS === null || utcOffsetS === ownOffsetS) {
      return '';
    }
    const { timeZone } = new Intl.DateTimeFormat().resolvedOptions();
    return this.#trans.__(
      'Times here are in %1 (UTC%2); kernels and terminals use UTC%3.',
      ...[timeZone, formatUtcOffset(ownOffsetS), formatUtcOffset(utcOffsetS)],
    );
  }

  #observedAtText(payload: Payload | null): string {
    if (!payload?.snapshot || !isOutdated(this.#manager)) {
      return '';
    }
    const time = formatTimestamp(formatterFor(''), payload.snapshot.as_of_ms);
    if (payload.readOnly) {
      return this.#trans.__('Last updated %1; read-only.', time);
    }
    return this.#manager.failure || payload.problem
      ? this.#trans.__('As of %1.', time)
      : this.#trans.__('As of %1. Changes elsewhere show within half a minute.', time);
  }
}

/** Format an offset from UTC as `+08:00`. */
function formatUtcOffset(offsetS: number): string {
  const time = new Date(Math.abs(offsetS) * 1000).toISOString().slice(11, 16);
  return (offsetS < 0 ? '−' : '+') + time;
}

/** Lists status, flavor, ID, API and data source, with the link to the console. */
export class DetailsSection implements PanelSection {
  /** {@inheritDoc PanelSection.node} */
  readonly node: HTMLElement;
  readonly #options: PanelSectionOptions;
  readonly #list = panelElement('dl', 'details');
  readonly #copyButton: HTMLButtonElement;
  readonly #link = panelElement('a', 'link', [], { target: '_blank', rel: 'noopener noreferrer' });
  readonly #id = panelElement('span', 'id');
  #shown = '';

  constructor(options: PanelSectionOptions) {
    this.#options = options;
    const { trans } = options;
    this.#copyButton = panelButton(trans.__('Copy'), () => void this.#copyId());
    setAttributes(this.#copyButton, { 'aria-label': trans.__('Copy ID') });
    setText(this.#link, trans.__('Open in Console'));
    this.node = panelElement('section', 'section', [
      panelElement('h3', 'heading', [trans.__('Instance')]),
      this.#list,
      this.#link,
    ]);
  }

  /** {@inheritDoc PanelSection.update} */
  update(payload: Payload | null): void {
    const { manager } = this.#options;
    this.node.hidden = !payload?.instance || !manager.preferences.showDetails;
    this.#showLink(payload?.consoleUrl ?? '');
    this.#showRows(
      this.#detailRows(payload).filter(([, value]) => value),
      payload?.instance?.id ?? '',
    );
  }

  #showLink(url: string): void {
    this.#link.hidden = !url;
    setAttributes(this.#link, { href: url || null });
  }

  #showRows(rows: [string, string][], id: string): void {
    const shown = JSON.stringify(rows);
    if (shown === this.#shown) {
      // A focused button keeps the focus.
      return;
    }
    this.#shown = shown;
    setText(this.#id, id);
    setText(this.#copyButton, this.#options.trans.__('Copy'));
    this.#list.replaceChildren(
      ...rows.flatMap(([name, value]) => [
        panelElement('dt', 'term', [name]),
        panelElement('dd', 'value', this.#valueOf(value)),
      ]),
    );
  }

  #valueOf(value: string): (Node | string)[] {
    return value === this.#id.textContent ? [this.#id, ' ', this.#copyButton] : [value];
  }

  async #copyId(): Promise<void> {
    const { announce, trans } = this.#options;
    try {
      await navigator.clipboard.writeText(this.#id.textContent ?? '');
      setText(this.#copyButton, trans.__('Copied'));
      announce(trans.__('Copied'));
    } catch {
      // Without permission for the clipboard, the ID is selected for copying by keyboard.
      getSelection()?.selectAllChildren(this.#id);
    }
  }

  #detailRows(payload: Payload | null): [string, string][] {
    const { trans, manager } = this.#options;
    const instance = payload?.instance;
    if (!instance) {
      return [];
    }
    const backendNames = {
      'server-extension': trans.__('Jupyter server'),
      'helper-kernel': trans.__('helper kernel'),
    };
    return [
      [trans.__('Status'), statusText(trans, instance.status)],
      [trans.__('Flavor'), instance.flavor],
      [trans.__('ID'), instance.id],
      [trans.__('API'), instance.api],
      [trans.__('Data source'), manager.backend ? backendNames[manager.backend] : ''],
    ];
  }
}

/** Return the name of a status in the language of the page; in English, the API's own notation. */
function statusText(trans: TranslationBundle, status: string): string {
  const names: Readonly<Record<string, string>> = {
    RUNNING: trans.__('RUNNING'),
    STOPPED: trans.__('STOPPED'),
    STOPPING: trans.__('STOPPING'),
    STARTING: trans.__('STARTING'),
    RESTARTING: trans.__('RESTARTING'),
    CREATING: trans.__('CREATING'),
    DELETING: trans.__('DELETING'),
    INIT: trans.__('INIT'),
    SNAPSHOTTING: trans.__('SNAPSHOTTING'),
    CREATE_FAILED: trans.__('CREATE_FAILED'),
    START_FAILED: trans.__('START_FAILED'),
    DELETE_FAILED: trans.__('DELETE_FAILED'),
    ERROR: trans.__('ERROR'),
    DELETED: trans.__('DELETED'),
    FROZEN: trans.__('FROZEN'),
    CREATE_QUEUING: trans.__('CREATE_QUEUING'),
    START_QUEUING: trans.__('START_QUEUING'),
    READY_TO_START: trans.__('READY_TO_START'),
    RESIZING: trans.__('RESIZING'),
    RESIZE_FAILED: trans.__('RESIZE_FAILED'),
    UNAVAILABLE: trans.__('UNAVAILABLE'),
    UNKNOWN: trans.__('UNKNOWN'),
  };
  return names[status] ?? status;
}
