/** The sidebar: what is known of the instance, and everything that can be changed. */

import type { IDisposable } from '@lumino/disposable';
import { RestartableTimer } from '../countdown/clock';
import { panelElement, type PanelSection } from './section';
import { AutoStopSection } from './autostop';
import { type CountdownSectionOptions, CountdownSection } from './countdown';
import { DescriptionSection } from './description';
import { DoctorSection } from './doctor';
import { DetailsSection, HeaderSection } from './details';
import { NoticesSection } from './notices';

/** How long a sentence for a screen reader stays. */
const ANNOUNCE_MS = 10_000;

/** What a panel is made of. */
export type PanelOptions = Omit<CountdownSectionOptions, 'announce'>;

/** The panel's content; its frame in the shell loads it when it is first seen. */
export class Panel implements IDisposable {
  readonly node = panelElement('div', 'content');
  readonly #options: PanelOptions;
  readonly #countdown: CountdownSection;
  readonly #autoStop: AutoStopSection;
  readonly #description: DescriptionSection;
  readonly #sections: readonly PanelSection[];
  readonly #announcementTimer: RestartableTimer;
  #disposed = false;
  readonly #liveRegion = panelElement('div', 'liveRegion', [], { role: 'status' });

  constructor(options: PanelOptions) {
    this.#options = options;
    this.#announcementTimer = new RestartableTimer(options.timers);
    const all = { ...options, announce: this.#announce };
    this.#countdown = new CountdownSection(all);
    this.#autoStop = new AutoStopSection(all);
    this.#description = new DescriptionSection(all);
    this.#sections = [
      new HeaderSection(all),
      new NoticesSection(all),
      this.#countdown,
      this.#autoStop,
      this.#description,
      new DetailsSection(all),
      new DoctorSection(all),
    ];
    this.node.append(...this.#sections.map(({ node }) => node), this.#liveRegion);
    options.manager.changed.connect(this.#update, this);
    this.#update();
  }

  /** Whether it is disposed of. */
  get isDisposed(): boolean {
    return this.#disposed;
  }

  /** Put the focus on a field. */
  focusField(field: 'description' | 'auto-stop'): void {
    if (field === 'description') {
      this.#description.startEditing();
    } else {
      this.#autoStop.focus();
    }
  }

  /** Stop and go away. Calling it twice is fine. */
  dispose(): void {
    this.#disposed = true;
    this.#options.manager.changed.disconnect(this.#update, this);
    this.#countdown.dispose();
    this.#announcementTimer.clear();
    this.node.remove();
  }

  #update(): void {
    for (const section of this.#sections) {
      section.update(this.#options.manager.payload);
    }
  }

  readonly #announce = (text: string): void => {
    this.#liveRegion.textContent = this.#liveRegion.textContent === text ? `${text}\u00a0` : text;
    // Once said it is over: who comes by later would take it for what holds.
    this.#announcementTimer.set(ANNOUNCE_MS, () => {
      this.#liveRegion.textContent = '';
    });
  };
}
