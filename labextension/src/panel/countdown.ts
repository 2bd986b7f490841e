/** The countdown in the panel: the one of the notebook widget, with the manager as its host. */

import type { Recipient } from '../countdown/actions';
import type { Timers, Wakeup } from '../countdown/clock';
import { CountdownController } from '../countdown/controller';
import type { CountdownHost, HostListener, Responder } from '../countdown/host';
import type { ChangeRequest } from '../countdown/messages';
import { handleChangeRequest, stateMessage } from '../manager/widget-bridge';
import type { Payload } from '../tokens';
import { panelElement, type PanelSection, type PanelSectionOptions } from './section';

/** Options of {@link CountdownSection}. */
export interface CountdownSectionOptions extends PanelSectionOptions {
  /** Clock and timers. */
  readonly timers: Timers;
  /** Page events after which the countdown is updated. */
  readonly wakeups: readonly Wakeup[];
}

/** Provides the countdown with the manager's state, and calls the manager for its requests. */
class ManagerHost implements CountdownHost {
  readonly language = '';
  readonly terminalPrefix = '';
  readonly responder: Responder = 'page';
  readonly #options: PanelSectionOptions;
  readonly #listener: HostListener;
  #helloPending = false;

  constructor(options: PanelSectionOptions, listener: HostListener) {
    this.#options = options;
    this.#listener = listener;
  }

  get helloPending(): boolean {
    return this.#helloPending;
  }

  connect(): void {
    this.#listener.onState(stateMessage(this.#options.manager));
  }

  /** Read the instance again. Its response contains the server's time. */
  sendHello(): void {
    this.#helloPending = true;
    void this.#options.manager.refresh().finally(() => {
      this.#helloPending = false;
      this.#listener.onChange();
    });
  }

  helloAnswered(): void {
    this.#helloPending = false;
  }

  sendRequest(request: ChangeRequest): Recipient {
    const { manager, trans } = this.#options;
    void handleChangeRequest(manager, trans, request).then((result) => {
      this.#listener.onResult(request.id, result);
    });
    return 'page';
  }

  cancelRequest(): void {
    // The manager cannot cancel a request that it has sent.
  }

  dispose(): void {
    // Nothing is connected: the section passes on the changes of the manager.
  }
}

/** Shows the time left, with the buttons that change it. */
export class CountdownSection implements PanelSection {
  /** {@inheritDoc PanelSection.node} */
  readonly node = panelElement('section', 'countdown');
  readonly #options: CountdownSectionOptions;
  readonly #controller: CountdownController;
  #lastRequestId = 0;

  constructor(options: CountdownSectionOptions) {
    this.#options = options;
    const { timers, wakeups } = options;
    this.#controller = new CountdownController(
      this.node,
      (_, listener) => new ManagerHost(options, listener),
      { timers, wakeups, newId: () => `panel-${++this.#lastRequestId}` },
    );
  }

  /** {@inheritDoc PanelSection.update} */
  update(payload: Payload | null): void {
    const { manager } = this.#options;
    this.node.hidden = !payload?.snapshot;
    // The buttons are hidden while nothing can be changed.
    const isReadOnly = payload?.readOnly === true || manager.failure !== null;
    this.node.classList.toggle('ma-mod-readOnly', isReadOnly);
    this.#controller.receiveState(stateMessage(manager));
  }

  /** Stop. May be called more than once. */
  dispose(): void {
    this.#controller.dispose();
  }
}
