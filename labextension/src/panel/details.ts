/** Name, status and the other facts of the instance. */

import { setText } from '../countdown/elements';
import { formatTimestamp, formatterFor } from '../countdown/format';
import type { Payload } from '../tokens';
import { panelElement, type PanelSection, type PanelSectionOptions } from './section';

/** The head of the panel: whose countdown it is. */
export class HeaderSection implements PanelSection {
  readonly node: HTMLElement;
  readonly #trans: PanelSectionOptions['trans'];
  readonly #name = panelElement('h2', 'name');
  readonly #demo = panelElement('span', 'demo');
  readonly #asOf = panelElement('p', 'observedAt');

  constructor({ trans, manager }: PanelSectionOptions) {
    this.#trans = trans;
    const refreshButton = panelElement('button', 'refresh', ['↻'], {
      ...{ type: 'button', title: trans.__('Ask the cloud again') },
      'aria-label': trans.__('Ask the cloud again'),
    });
    refreshButton.addEventListener('click', () => {
      refreshButton.disabled = true;
      void manager.refresh(true).finally(() => {
        refreshButton.disabled = false;
      });
    });
    const head = panelElement('div', 'head', [this.#name, refreshButton]);
    this.node = panelElement('div', 'header', [head, this.#demo, this.#asOf]);
  }

  update(payload: Payload | null): void {
    const trans = this.#trans;
    const { instance, snapshot, readOnly } = payload ?? {};
    setText(this.#name, instance?.name || 'ModelArts');
    setText(this.#demo, instance?.demo ? trans.__('DEMO · local emulator') : '');
    const old = readOnly && snapshot;
    setText(
      this.#asOf,
      old
        ? trans.__('As of %1, read-only.', formatTimestamp(formatterFor(''), snapshot.as_of_ms))
        : '',
    );
  }
}

/** What else is known, as a list. */
export class DetailsSection implements PanelSection {
  readonly node: HTMLElement;
  readonly #options: PanelSectionOptions;
  readonly #list = panelElement('dl', 'details');

  constructor(options: PanelSectionOptions) {
    this.#options = options;
    this.node = panelElement('section', 'section', [
      panelElement('h3', 'heading', [options.trans.__('Instance')]),
      this.#list,
    ]);
  }

  update(payload: Payload | null): void {
    const { manager } = this.#options;
    this.node.hidden = !payload?.instance || !manager.preferences.showDetails;
    const rows = this.#detailRows(payload).filter(([, value]) => value);
    this.#list.replaceChildren(
      ...rows.flatMap(([name, value]) => [
        panelElement('dt', 'term', [name]),
        panelElement('dd', 'value', [value]),
      ]),
    );
  }

  #detailRows(payload: Payload | null): [string, string][] {
    const { trans, manager } = this.#options;
    const { status = '', flavor = '', id = '', api = '' } = payload?.instance ?? {};
    const backendNames = {
      'server-extension': trans.__('the Jupyter server'),
      'helper-kernel': trans.__('a helper kernel'),
    };
    return [
      [trans.__('Status'), status],
      [trans.__('Flavor'), flavor],
      [trans.__('ID'), id],
      [trans.__('API'), api],
      [trans.__('Asked by'), manager.backend ? backendNames[manager.backend] : ''],
    ];
  }
}
