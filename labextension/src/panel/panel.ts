/** The sidebar: what is known of the instance, and everything that can be changed. */

import { Widget } from '@lumino/widgets';
import { part, type Section } from './parts';
import { AutoStopSection } from './autostop';
import { type CountdownOptions, CountdownSection } from './countdown';
import { DescriptionSection } from './description';
import { DoctorSection } from './doctor';
import { FactsSection, HeadSection } from './facts';
import { NoticesSection } from './notices';
import { PANEL_ID } from '../tokens';

/** What a panel is made of. */
export type PanelOptions = Omit<CountdownOptions, 'announce'>;

/** The panel. */
export class Panel extends Widget {
  readonly #options: PanelOptions;
  readonly #countdown: CountdownSection;
  readonly #autoStop: AutoStopSection;
  readonly #description: DescriptionSection;
  readonly #sections: readonly Section[];
  readonly #status = part('div', 'status', [], { role: 'status' });

  constructor(options: PanelOptions) {
    super();
    this.#options = options;
    this.id = PANEL_ID;
    this.addClass('ma-Panel');
    this.node.setAttribute('role', 'region');
    this.node.setAttribute('aria-label', options.trans.__('ModelArts instance'));
    const all = { ...options, announce: this.#announce };
    this.#countdown = new CountdownSection(all);
    this.#autoStop = new AutoStopSection(all);
    this.#description = new DescriptionSection(all);
    this.#sections = [
      new HeadSection(all),
      new NoticesSection(all),
      this.#countdown,
      this.#autoStop,
      this.#description,
      new FactsSection(all),
      new DoctorSection(all),
    ];
    this.node.append(...this.#sections.map(({ node }) => node), this.#status);
    options.manager.changed.connect(this.#update, this);
    this.#update();
  }

  /** Put the focus on a field. */
  reveal(field: 'description' | 'auto-stop'): void {
    if (field === 'description') {
      this.#description.open();
    } else {
      this.#autoStop.focus();
    }
  }

  /** Stop and go away. Calling it twice is fine. */
  override dispose(): void {
    if (!this.isDisposed) {
      this.#options.manager.changed.disconnect(this.#update, this);
      this.#countdown.dispose();
      super.dispose();
    }
  }

  #update(): void {
    for (const section of this.#sections) {
      section.update(this.#options.manager.payload);
    }
  }

  readonly #announce = (text: string): void => {
    this.#status.textContent = this.#status.textContent === text ? `${text}\u00a0` : text;
  };
}
