/** The doctor: looks at the set-up when a person asks for it. */

import { make } from '../countdown/dom';
import { failureText } from '../text/status-text';
import { BackendError, type Finding } from '../tokens';
import { part, type Section, type SectionOptions } from './parts';

/** Folded away until it is opened; looks anew at each opening. */
export class DoctorSection implements Section {
  readonly node = part('details', 'section');
  readonly #options: SectionOptions;
  readonly #found = part('div', 'findings', [], { 'aria-live': 'polite' });

  constructor(options: SectionOptions) {
    this.#options = options;
    this.node.append(
      part('summary', 'heading', [options.trans.__('Check the set-up')]),
      this.#found,
    );
    this.node.addEventListener('toggle', () => {
      if (this.node.open) {
        void this.#examine();
      }
    });
  }

  update(): void {
    this.node.hidden = this.#options.manager.backend === null;
  }

  async #examine(): Promise<void> {
    const { manager, trans } = this.#options;
    this.#found.replaceChildren(trans.__('Looking…'));
    try {
      const findings = await manager.examine();
      const wrong = findings.filter(({ level }) => level === 'problem');
      const fine = findings.filter(({ level }) => level !== 'problem');
      const verdict = wrong.length
        ? trans._n('%1 problem', '%1 problems', wrong.length, wrong.length)
        : trans.__('No problem found.');
      this.#found.replaceChildren(
        make('p', {}, [verdict]),
        make(
          'ul',
          {},
          [...wrong, ...fine].map((each) => this.#line(each)),
        ),
      );
    } catch (error) {
      const failure = error instanceof BackendError ? error : new BackendError('failed');
      this.#found.replaceChildren(failureText(trans, failure));
    }
  }

  #line({ about, level, words, hint }: Finding): HTMLElement {
    const mark = { ok: '✓', problem: '✗' }[level] ?? '·';
    const sign = make('span', { 'aria-hidden': 'true' }, [`${mark} `]);
    const line = [sign, make('strong', {}, [about]), ` ${words}`];
    return part('li', 'finding', hint ? [...line, part('p', 'hint', [hint])] : line, {
      'data-level': level,
    });
  }
}
