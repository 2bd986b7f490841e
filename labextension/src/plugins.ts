/** The plugins. Each of them except the manager can be disabled. */

import {
  ILayoutRestorer,
  type JupyterFrontEnd,
  type JupyterFrontEndPlugin,
} from '@jupyterlab/application';
import { ICommandPalette } from '@jupyterlab/apputils';
import { PageConfig } from '@jupyterlab/coreutils';
import type { IDocumentManager } from '@jupyterlab/docmanager';
import { ISettingRegistry } from '@jupyterlab/settingregistry';
import { ITranslator, nullTranslator, type TranslationBundle } from '@jupyterlab/translation';
import { Signal } from '@lumino/signaling';
import type { Widget } from '@lumino/widgets';
import type { AutoSaver } from './autosave/autosave';
import { LazyAutoSaver } from './autosave/lazy-autosave';
import { EventStream } from './backend/event-stream';
import { LazyBackend } from './backend/lazy';
import { RestBackend } from './backend/rest';
import { readChangeEvent, readPreferences } from './backend/validate';
import {
  applyClockFormat,
  browserLock,
  isPageVisible,
  oncePerBrowser,
  pageEnvironment,
} from './browser/page';
import { addCommands, addSaveAllCommand } from './commands/commands';
import { panelIcon } from './icon';
import { Manager } from './manager/manager';
import { WidgetBridge } from './manager/widget-bridge';
import { LazyPanel } from './panel/lazy-panel';
import { onFirstDocument } from './records/first-document';
import type { Offer } from './records/records';
import { startReminders } from './reminders/lazy-reminders';
import { followNotices, followPresumedStop, notify } from './reminders/notifications';
import type { Reminders } from './reminders/reminders';
import { StatusItem } from './status-item';
import {
  type ChangeEvent,
  COMMAND_IDS,
  type IBackend,
  IManager,
  PANEL_ID,
  type PanelField,
  TRANSLATION_DOMAIN,
} from './tokens';

const EXTENSION_ID = 'modelarts-magics-lab';
/** The name of the service, the same in every language. */
const DISPLAY_NAME = 'ModelArts';

const loadTranslations = (translator: ITranslator | null): TranslationBundle =>
  (translator ?? nullTranslator).load(TRANSLATION_DOMAIN);

/** Load the code of the helper kernel, which is needed only without the server extension. */
async function loadHelperKernelBackend(
  { serviceManager }: JupyterFrontEnd,
  onEvent: (event: unknown) => void,
): Promise<IBackend> {
  const { createHelperKernelBackend } = await import('./backend/create-helper-kernel');
  const { timers } = pageEnvironment;
  return createHelperKernelBackend({
    ...{ serviceManager, storage: window.localStorage, timers, lock: browserLock },
    ...{ extensionsUrl: PageConfig.getOption('fullLabextensionsUrl'), onEvent },
  });
}

async function watchSettings(
  manager: Manager,
  registry: ISettingRegistry,
  trans: TranslationBundle,
): Promise<void> {
  // The texts of the settings are in English. JupyterLab loads no settings of this plugin without a transformation.
  const translate = /^(en|$)/.test(document.documentElement.lang)
    ? (plugin: ISettingRegistry.IPlugin) => plugin
    : (await import('./schema')).translateSchema;
  registry.transform(managerPlugin.id, { fetch: (plugin) => translate(plugin, trans) });
  const settings = await registry.load(managerPlugin.id);
  const applySettings = (): void => {
    const preferences = readPreferences(settings.composite);
    applyClockFormat(preferences);
    manager.preferences = preferences;
  };
  settings.changed.connect(applySettings);
  applySettings();
}

const managerPlugin: JupyterFrontEndPlugin<IManager> = {
  id: `${EXTENSION_ID}:manager`,
  description: 'Provides the state of the instance to the other plugins.',
  autoStart: true,
  provides: IManager,
  optional: [ISettingRegistry, ITranslator],
  activate: (
    app: JupyterFrontEnd,
    registry: ISettingRegistry | null,
    translator: ITranslator | null,
  ): IManager => {
    const { serviceManager } = app;
    const trans = loadTranslations(translator);
    const eventStream = new EventStream(serviceManager.events);
    const kernelEvents = new Signal<object, ChangeEvent>({});
    const onKernelEvent = (event: unknown): void => {
      kernelEvents.emit(readChangeEvent(event));
    };
    const manager = new Manager({
      ...pageEnvironment,
      isVisible: isPageVisible,
      backends: [
        () => new RestBackend(serviceManager.serverSettings, () => eventStream.isOpen),
        () => new LazyBackend('helper-kernel', () => loadHelperKernelBackend(app, onKernelEvent)),
      ],
      subscribe: (listener) => {
        kernelEvents.connect((_, event) => {
          listener(event);
        });
        return eventStream.subscribe(listener);
      },
      isStreamOpen: () => eventStream.isOpen,
      askForConsent: async (text) =>
        (await import('./commands/consent')).askForConsent(trans, text),
    });
    new WidgetBridge(manager, document, trans);
    serviceManager.connectionFailure.connect(() => void manager.refresh());
    // Without settings the plugin uses the defaults.
    const watching = registry && watchSettings(manager, registry, trans);
    void watching?.catch(() => undefined);
    void app.started.then(() => manager.refresh());
    return manager;
  },
};

const panelPlugin: JupyterFrontEndPlugin<void> = {
  id: `${EXTENSION_ID}:panel`,
  description: 'Adds the panel to the sidebar.',
  autoStart: true,
  requires: [IManager],
  optional: [ITranslator, ILayoutRestorer],
  activate: (
    app: JupyterFrontEnd,
    manager: IManager,
    translator: ITranslator | null,
    restorer: ILayoutRestorer | null,
  ) => {
    const trans = loadTranslations(translator);
    const widget = new LazyPanel(trans.__('ModelArts instance'), async () => {
      const [{ Panel }] = await Promise.all([import('./panel/panel'), import('./panel.css')]);
      const { commands, shell } = app;
      return new Panel({ ...pageEnvironment, ...{ manager, trans, commands, shell } });
    });
    widget.node.addEventListener('keydown', (event) => {
      // In a field, this key ends editing.
      if (event.key === 'Escape' && !(event.target as Element).matches('input, textarea')) {
        togglePanel(app, trans, null);
      }
    });
    widget.title.icon = panelIcon;
    widget.title.caption = DISPLAY_NAME;
    app.shell.add(widget, 'right', { rank: 800, type: DISPLAY_NAME });
    restorer?.add(widget, PANEL_ID);
  },
};

type Side = 'left' | 'right';

/** The functions of the shells of JupyterLab and Notebook 7 that hide a side. */
interface CollapsibleShell {
  collapseLeft?(): void;
  collapseRight?(): void;
}

/** Return the panel on one side; `undefined` if it is not there. */
const panelOn = ({ shell }: JupyterFrontEnd, side: Side): LazyPanel | undefined =>
  [...shell.widgets(side)].find((each) => each instanceof LazyPanel);

/** Show the panel, optionally with the focus on a field. Notify if the panel is disabled. */
function showPanel(app: JupyterFrontEnd, trans: TranslationBundle, field: PanelField | null): void {
  app.shell.activateById(PANEL_ID);
  const panel = panelOn(app, 'right') ?? panelOn(app, 'left');
  if (!panel) {
    notify(trans.__('The ModelArts panel is disabled.'), false);
  }
  void (field && panel?.focusField(field));
}

/** Hide the panel or, if it is hidden, show it as {@link showPanel} does. */
function togglePanel(
  app: JupyterFrontEnd,
  trans: TranslationBundle,
  field: PanelField | null,
): void {
  const side = panelOn(app, 'left') ? 'left' : 'right';
  const panel = panelOn(app, side);
  if (!panel?.isVisible) {
    showPanel(app, trans, field);
    return;
  }
  const shell: JupyterFrontEnd.IShell & CollapsibleShell = app.shell;
  const hadFocus = panel.node.contains(document.activeElement);
  shell[side === 'left' ? 'collapseLeft' : 'collapseRight']?.();
  if (hadFocus) {
    app.shell.currentWidget?.activate();
  }
}

const commandsPlugin: JupyterFrontEndPlugin<void> = {
  id: `${EXTENSION_ID}:commands`,
  description: 'Adds the commands to the palette and the menu.',
  autoStart: true,
  requires: [IManager],
  optional: [ITranslator, ICommandPalette],
  activate: (
    app: JupyterFrontEnd,
    manager: IManager,
    translator: ITranslator | null,
    palette: ICommandPalette | null,
  ) => {
    const trans = loadTranslations(translator);
    const show = (field: PanelField | null): void => {
      showPanel(app, trans, field);
    };
    const togglePanelWithFocus = (): void => {
      togglePanel(app, trans, 'extend');
    };
    const { commands, shell } = app;
    addCommands({
      ...{ commands, manager, trans, shell, notify },
      ...{ showPanel: show, togglePanel: togglePanelWithFocus },
    });
    for (const command of Object.values(COMMAND_IDS)) {
      const args = command === COMMAND_IDS.showPanel ? { toggle: true } : {};
      palette?.addItem({ command, category: DISPLAY_NAME, args });
    }
    manager.changed.connect(() => {
      for (const command of Object.values(COMMAND_IDS)) {
        commands.notifyCommandChanged(command);
      }
    });
  },
};

const statusItemPlugin: JupyterFrontEndPlugin<void> = {
  id: `${EXTENSION_ID}:status`,
  description: 'Shows the time left in the status bar or the top bar.',
  autoStart: true,
  requires: [IManager],
  optional: [ITranslator],
  activate: async (app: JupyterFrontEnd, manager: IManager, translator: ITranslator | null) => {
    const trans = loadTranslations(translator);
    const onClick = (byKeyboard: boolean): void => {
      togglePanel(app, trans, byKeyboard ? 'extend' : null);
    };
    const item = new StatusItem({ ...pageEnvironment, manager, trans, onClick });
    item.id = 'modelarts-magics-status';
    // Imported here, because Voilà cannot load an extension that imports it at the start.
    const { IStatusBar } = await import('@jupyterlab/statusbar');
    const bar = await app.resolveOptionalService(IStatusBar);
    if (bar) {
      bar.registerStatusItem(`${EXTENSION_ID}:status`, { item, align: 'left', rank: 90 });
    } else {
      app.shell.add(item, 'top', { rank: 900 });
    }
  },
};

/** Load the notifications about work that the instance is kept for, or was stopped after, once there is some. */
function followKeep(manager: IManager, trans: TranslationBundle): void {
  const check = (): void => {
    if (manager.payload?.keep ?? manager.payload?.lastRun) {
      manager.changed.disconnect(check);
      import('./reminders/keep-notifications').then(
        ({ followKeepState }) => {
          followKeepState(manager, trans);
        },
        // The server may be reachable the next time.
        () => manager.changed.connect(check),
      );
    }
  };
  manager.changed.connect(check);
}

const remindersPlugin: JupyterFrontEndPlugin<void> = {
  id: `${EXTENSION_ID}:reminders`,
  description: 'Shows reminders before the stop.',
  autoStart: true,
  requires: [IManager],
  optional: [ITranslator],
  activate: (app: JupyterFrontEnd, manager: IManager, translator: ITranslator | null) => {
    const findUnsaved = async (): Promise<readonly string[]> => {
      const { dirtyDocuments } = await import('./autosave/documents');
      const documents = await documentManagerOf(app);
      return dirtyDocuments(app.shell, documents).map(({ path }) => path);
    };
    const trans = loadTranslations(translator);
    const options = { manager, trans, commands: app.commands, findUnsaved };
    const load = async (): Promise<Reminders> => {
      const [{ Reminders }, { showReminder }] = await Promise.all([
        import('./reminders/reminders'),
        import('./reminders/reminder-notification'),
      ]);
      return new Reminders({
        ...pageEnvironment,
        ...{ manager, isVisible: isPageVisible, oncePerBrowser },
        show: (reminder) => showReminder(options, reminder),
      });
    };
    void app.restored.then(() => {
      startReminders({ ...pageEnvironment, manager, load });
    });
    followPresumedStop(manager, trans);
    followKeep(manager, trans);
    followNotices(manager);
  },
};

/** Return the document manager. It is imported late for the reason for which the status bar is. */
async function documentManagerOf(app: JupyterFrontEnd): Promise<IDocumentManager> {
  const docmanager = await import('@jupyterlab/docmanager');
  return app.resolveRequiredService(docmanager.IDocumentManager);
}

const autosavePlugin: JupyterFrontEndPlugin<void> = {
  id: `${EXTENSION_ID}:autosave`,
  description: 'Saves documents before the stop.',
  autoStart: true,
  requires: [IManager],
  optional: [ITranslator],
  activate: async (app: JupyterFrontEnd, manager: IManager, translator: ITranslator | null) => {
    const documents = await documentManagerOf(app);
    const trans = loadTranslations(translator);
    const load = async (): Promise<AutoSaver> => {
      const [{ AutoSaver }, { dirtyDocuments }] = await Promise.all([
        import('./autosave/autosave'),
        import('./autosave/documents'),
      ]);
      return new AutoSaver({
        ...{ ...pageEnvironment, manager, lock: browserLock },
        dirtyDocuments: () => dirtyDocuments(app.shell, documents),
      });
    };
    const autoSaver = new LazyAutoSaver({ ...pageEnvironment, manager, load });
    addSaveAllCommand({ commands: app.commands, manager, trans, notify }, () =>
      autoSaver.saveAll(),
    );
  },
};

const recordsPlugin: JupyterFrontEndPlugin<void> = {
  id: `${EXTENSION_ID}:records`,
  description: 'Offers to insert the recorded output of guarded cells, and reports prompts.',
  autoStart: true,
  requires: [IManager],
  optional: [ITranslator],
  activate: async (app: JupyterFrontEnd, manager: IManager, translator: ITranslator | null) => {
    const trans = loadTranslations(translator);
    const documents = await documentManagerOf(app);
    const { shell } = app;
    const load = async (): Promise<void> => {
      const [{ RecordOffers }, { watchNotebooks }, { PromptReports }, { showRecordOffer }] =
        await Promise.all([
          import('./records/records'),
          import('./records/notebooks'),
          import('./records/prompts'),
          import('./reminders/record-offer'),
        ]);
      const show = (offer: Offer): void => {
        showRecordOffer(trans, offer);
      };
      watchNotebooks(shell, documents, new RecordOffers({ manager, show }));
      new PromptReports(shell, manager);
    };
    const isDocument = (widget: Widget): boolean => !!documents.contextForWidget(widget);
    // Not awaited: the page is restored after all plugins are active. The code is not part of the page load.
    void app.restored.then(() => {
      onFirstDocument(shell, isDocument, load);
    });
  },
};

/** All plugins of the extension. */
export const plugins = [
  managerPlugin,
  panelPlugin,
  commandsPlugin,
  statusItemPlugin,
  remindersPlugin,
  autosavePlugin,
  recordsPlugin,
];
