/**
 * The panel in the sidebar.
 *
 * The folder `panel/` exports the panel and the widget that loads it. Each section shows one part of
 * the manager's state. It may import from `browser/`, `countdown/`, `manager/`, `text/` and `tokens`.
 */

import type { IDisposable } from '@lumino/disposable';
import { desktopNotifications } from '../browser/desktop-notifications';
import { RestartableTimer } from '../countdown/clock';
import { setAttributes } from '../countdown/elements';
import { presumedStopText } from '../text/save-text';
import type { PanelField } from '../tokens';
import { ActivitySection } from './activity';
import { AutoStopSection } from './autostop';
import { CountdownSection, type CountdownSectionOptions } from './countdown';
import { DescriptionSection } from './description';
import { DetailsSection, HeaderSection } from './details';
import { DoctorSection } from './doctor';
import { HistorySection } from './history';
import { KeepSection } from './keep';
import { NoticesSection } from './notices';
import { NotificationsSection } from './notifications';
import { RestoreSection } from './restore';
import { panelElement, type PanelSection } from './section';
import { StopSection } from './stop';
import { UndoSection } from './undo';

/** Milliseconds for which an announcement stays in the live region. */
const ANNOUNCE_MS = 10_000;

/** Options of {@link Panel}. */
export type PanelOptions = Omit<CountdownSectionOptions, 'announce'>;

/** The content of the panel. */
export class Panel implements IDisposable {
  /** The outermost element. */
  readonly node = panelElement('div', 'content');
  readonly #options: PanelOptions;
  readonly #header: HeaderSection;
  readonly #countdown: CountdownSection;
  readonly #keep: KeepSection;
  readonly #activity: ActivitySection;
  readonly #autoStop: AutoStopSection;
  readonly #description: DescriptionSection;
  readonly #notifications: NotificationsSection;
  readonly #sections: readonly PanelSection[];
  readonly #announcementTimer: RestartableTimer;
  readonly #liveRegion = panelElement('div', 'liveRegion', [], { role: 'status' });
  #disposed = false;

  constructor(options: PanelOptions) {
    this.#options = options;
    this.#announcementTimer = new RestartableTimer(options.timers);
    const all = { ...options, announce: this.#announce };
    this.#header = new HeaderSection(all);
    this.#countdown = new CountdownSection(all);
    this.#keep = new KeepSection(all);
    this.#activity = new ActivitySection(all);
    this.#autoStop = new AutoStopSection(all);
    this.#description = new DescriptionSection(all);
    this.#notifications = new NotificationsSection({ ...all, desktop: desktopNotifications() });
    this.#sections = [
      this.#header,
      this.#countdown,
      new NoticesSection(all),
      // The last change, and the work that keeps the instance running.
      new UndoSection(all),
      new RestoreSection(all),
      this.#keep,
      // The settings, and the end of this run.
      this.#autoStop,
      this.#activity,
      new StopSection(all),
      this.#description,
      // The rest is needed rarely.
      new DetailsSection(all),
      this.#notifications,
      new HistorySection(all),
      new DoctorSection(all),
    ];
    this.node.append(...this.#sections.map(({ node }) => node), this.#liveRegion);
    options.manager.changed.connect(this.#update, this);
    this.#update();
  }

  /** Whether the panel is disposed. */
  get isDisposed(): boolean {
    return this.#disposed;
  }

  /** Move the focus to a field. */
  focusField(field: PanelField): void {
    if (field === 'description') {
      this.#description.startEditing();
    } else if (field === 'auto-stop') {
      this.#autoStop.focus();
    } else if (!this.#countdown.focus()) {
      this.#header.focus();
    }
  }

  /** Stop and remove the content. May be called more than once. */
  dispose(): void {
    this.#disposed = true;
    this.#options.manager.changed.disconnect(this.#update, this);
    this.#countdown.dispose();
    this.#keep.dispose();
    this.#activity.dispose();
    this.#announcementTimer.clear();
    this.node.remove();
  }

  #update(): void {
    const { manager, trans } = this.#options;
    for (const section of this.#sections) {
      section.update(manager.payload);
    }
    // The controls are disabled then.
    const reason = presumedStopText(trans, manager);
    for (const { node } of [this.#keep, this.#autoStop, this.#activity, this.#notifications]) {
      setAttributes(node, { title: reason || null });
    }
  }

  readonly #announce = (text: string): void => {
    // A screen reader does not announce a text that is equal to the last one.
    this.#liveRegion.textContent = this.#liveRegion.textContent === text ? `${text}\u00a0` : text;
    // Later the text would be mistaken for the current state.
    this.#announcementTimer.set(ANNOUNCE_MS, () => {
      this.#liveRegion.textContent = '';
    });
  };
}
