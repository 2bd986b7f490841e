/** The countdown in the panel: the one of the notebook widget, with the manager as its host. */

import type { Recipient } from '../countdown/actions';
import type { Timers } from '../countdown/clock';
import { CountdownController } from '../countdown/controller';
import { setText } from '../countdown/elements';
import type { CountdownHost, HostListener, Responder } from '../countdown/host';
import type { ChangeRequest } from '../countdown/messages';
import { handleChangeRequest } from '../manager/widget-bridge';
import type { Payload } from '../tokens';
import { panelElement, type PanelSection, type PanelSectionOptions } from './section';

/** Options of {@link CountdownSection}. */
export interface CountdownSectionOptions extends PanelSectionOptions {
  /** Clock and timers. */
  readonly timers: Timers;
}

/** Provides the countdown with the manager's state, and calls the manager for its requests. */
class ManagerHost implements CountdownHost {
  readonly language = '';
  readonly terminalPrefix = '';
  readonly responder: Responder = 'page';
  readonly #options: PanelSectionOptions;
  readonly #listener: HostListener;
  /** The clock is the manager's, which reads the server's time by itself. */
  readonly helloPending = false;

  constructor(options: PanelSectionOptions, listener: HostListener) {
    this.#options = options;
    this.#listener = listener;
  }

  connect(): void {
    this.#listener.onState(this.#options.manager.payload?.snapshot);
  }

  sendHello(): void {
    void this.#options.manager.refresh();
  }

  helloAnswered(): void {
    // Nothing waits for it.
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
  readonly #hint = panelElement('p', 'hint');
  #lastRequestId = 0;

  constructor(options: CountdownSectionOptions) {
    this.#options = options;
    const { timers, manager } = options;
    this.#controller = new CountdownController(
      this.node,
      (_, listener) => new ManagerHost(options, listener),
      {
        ...{ timers, wakeups: [], clock: manager.clock },
        newId: () => `panel-${++this.#lastRequestId}`,
      },
    );
    this.node.append(this.#hint);
  }

  /** Move the focus to +1 h; returns whether this is possible. */
  focus(): boolean {
    const button = this.node.querySelector<HTMLElement>('[data-action=extend]');
    // It is not rendered if nothing can be changed.
    const isShown = !!button && !this.node.hidden && !this.node.matches('.ma-mod-readOnly');
    if (isShown) {
      button.focus();
    }
    return isShown;
  }

  /** {@inheritDoc PanelSection.update} */
  update(payload: Payload | null): void {
    const { manager } = this.#options;
    // After a stop that is only presumed, there is neither a time left nor a button to click.
    this.node.hidden = !payload?.snapshot || manager.presumedStop?.isConfirmed === false;
    // The buttons are hidden while nothing can be changed.
    const isReadOnly = payload?.readOnly === true || manager.failure !== null;
    this.node.classList.toggle('ma-mod-readOnly', isReadOnly);
    setText(this.#hint, this.#hintText(payload));
    this.#hint.hidden = isReadOnly;
    this.#controller.receiveState(payload?.snapshot);
  }

  /** Return what an extension changes besides this run; empty if it changes nothing more. */
  #hintText(payload: Payload | null): string {
    const canExtend = typeof payload?.snapshot?.state.stops_at_ms === 'number';
    return canExtend && payload.capabilities?.persistsDuration && !payload.restore
      ? this.#options.trans.__('Extending also lengthens later runs.')
      : '';
  }

  /** Stop. May be called more than once. */
  dispose(): void {
    this.#controller.dispose();
  }
}
