/** Name, status and the other facts of the instance. */

import { setText } from '../countdown/dom';
import { stamp, wordsFor } from '../countdown/format';
import type { Payload } from '../tokens';
import { part, type Section, type SectionOptions } from './parts';

/** The head of the panel: whose countdown it is. */
export class HeadSection implements Section {
  readonly node: HTMLElement;
  readonly #trans: SectionOptions['trans'];
  readonly #name = part('h2', 'name');
  readonly #demo = part('span', 'demo');
  readonly #asOf = part('p', 'asOf');

  constructor({ trans, manager }: SectionOptions) {
    this.#trans = trans;
    const ask = part('button', 'refresh', ['↻'], {
      ...{ type: 'button', title: trans.__('Ask the cloud again') },
      'aria-label': trans.__('Ask the cloud again'),
    });
    ask.addEventListener('click', () => {
      ask.disabled = true;
      void manager.refresh(true).finally(() => {
        ask.disabled = false;
      });
    });
    const head = part('div', 'head', [this.#name, ask]);
    this.node = part('div', 'top', [head, this.#demo, this.#asOf]);
  }

  update(payload: Payload | null): void {
    const trans = this.#trans;
    const { instance, snapshot, readOnly } = payload ?? {};
    setText(this.#name, instance?.name || 'ModelArts');
    setText(this.#demo, instance?.demo ? trans.__('DEMO · local emulator') : '');
    const old = readOnly && snapshot;
    setText(
      this.#asOf,
      old ? trans.__('As of %1, read-only.', stamp(wordsFor(''), snapshot.as_of_ms)) : '',
    );
  }
}

/** What else is known, as a list. */
export class FactsSection implements Section {
  readonly node: HTMLElement;
  readonly #options: SectionOptions;
  readonly #list = part('dl', 'facts');

  constructor(options: SectionOptions) {
    this.#options = options;
    this.node = part('section', 'section', [
      part('h3', 'heading', [options.trans.__('Instance')]),
      this.#list,
    ]);
  }

  update(payload: Payload | null): void {
    const { manager } = this.#options;
    this.node.hidden = !payload?.instance || !manager.preferences.showDetails;
    const facts = this.#facts(payload).filter(([, value]) => value);
    this.#list.replaceChildren(
      ...facts.flatMap(([name, value]) => [
        part('dt', 'term', [name]),
        part('dd', 'value', [value]),
      ]),
    );
  }

  #facts(payload: Payload | null): [string, string][] {
    const { trans, manager } = this.#options;
    const { status = '', flavor = '', id = '', api = '' } = payload?.instance ?? {};
    const served = {
      routes: trans.__('the Jupyter server'),
      helper: trans.__('a helper kernel'),
    };
    return [
      [trans.__('Status'), status],
      [trans.__('Flavor'), flavor],
      [trans.__('ID'), id],
      [trans.__('API'), api],
      [trans.__('Asked by'), manager.backend ? served[manager.backend] : ''],
    ];
  }
}
