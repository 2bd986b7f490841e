/** The plugins: small, and each but the manager can be switched off. */

import {
  ILayoutRestorer,
  type JupyterFrontEnd,
  type JupyterFrontEndPlugin,
} from '@jupyterlab/application';
import { ICommandPalette } from '@jupyterlab/apputils';
import { IDocumentManager } from '@jupyterlab/docmanager';
import { ISettingRegistry } from '@jupyterlab/settingregistry';
import { IStatusBar } from '@jupyterlab/statusbar';
import { ITranslator, nullTranslator, type TranslationBundle } from '@jupyterlab/translation';
import { Signal } from '@lumino/signaling';
import { addCommands, addSaveAll } from './commands/commands';
import { dirtyDocuments } from './autosave/documents';
import { type Field, Frame } from './panel/lazy-panel';
import type { HelperOptions } from './backend/helper-kernel';
import { icon } from './icon';
import { Manager } from './manager/manager';
import { LaterBackend } from './backend/lazy';
import { claim, exclusive, page, showClock, visible } from './browser/page';
import { Pages } from './manager/widget-bridge';
import { Reminders } from './reminders/reminders';
import { RoutesBackend } from './backend/rest';
import { Saver } from './autosave/autosave';
import { translated } from './schema';
import { StatusItem } from './status-item';
import { say, showReminder } from './reminders/notifications';
import { COMMANDS, DOMAIN, type IBackend, IManager, type News, PANEL_ID } from './tokens';
import { readNews, readPreferences } from './backend/validate';

const ID = 'modelarts-magics-lab';
/** The service's own name, the same in every language. */
const NAME = 'ModelArts';
const EVENT = /modelarts-magics\/instance\/v1$/;

const load = (translator: ITranslator | null): TranslationBundle =>
  (translator ?? nullTranslator).load(DOMAIN);

/** Call the listener with each event of ours; answers what ends that. */
function listenTo({ serviceManager }: JupyterFrontEnd, listener: (news: News) => void): () => void {
  const { stream } = serviceManager.events;
  const onEvent = (_: unknown, event: { readonly schema_id: string }): void => {
    if (EVENT.test(event.schema_id)) {
      listener(readNews(event));
    }
  };
  stream.connect(onEvent);
  return () => {
    stream.disconnect(onEvent);
  };
}

/** The helper's code is loaded only where the server has no routes of ours. */
async function loadHelper(
  { serviceManager }: JupyterFrontEnd,
  more: Pick<HelperOptions, 'tell' | 'without'>,
): Promise<IBackend> {
  const { HelperBackend } = await import('./backend/helper-kernel');
  const { timers } = page;
  const storage = window.localStorage;
  return new HelperBackend({ serviceManager, storage, timers, exclusive, ...more });
}

async function followSettings(
  manager: Manager,
  registry: ISettingRegistry,
  trans: TranslationBundle,
): Promise<void> {
  registry.transform(manager_.id, { fetch: (plugin) => translated(plugin, trans) });
  const settings = await registry.load(manager_.id);
  const read = (): void => {
    const preferences = readPreferences(settings.composite);
    showClock(preferences);
    manager.preferences = preferences;
  };
  settings.changed.connect(read);
  read();
}

const manager_: JupyterFrontEndPlugin<IManager> = {
  id: `${ID}:manager`,
  description: 'Knows when the instance stops, and tells the others.',
  autoStart: true,
  provides: IManager,
  optional: [ISettingRegistry, ITranslator],
  activate: (
    app: JupyterFrontEnd,
    registry: ISettingRegistry | null,
    translator: ITranslator | null,
  ): IManager => {
    const { serviceManager } = app;
    const trans = load(translator);
    const heard = new Signal<object, News>({});
    const helper: Pick<HelperOptions, 'tell' | 'without'> = {
      tell: (event) => {
        heard.emit(readNews(event));
      },
      without: new Set(),
    };
    const manager = new Manager({
      ...page,
      visible,
      backends: [
        () => new RoutesBackend(serviceManager.serverSettings),
        () => new LaterBackend('helper', () => loadHelper(app, helper)),
      ],
      listen: (listener) => {
        heard.connect((_, news) => {
          listener(news);
        });
        return listenTo(app, listener);
      },
    });
    new Pages(manager, document, trans);
    serviceManager.connectionFailure.connect(() => void manager.refresh());
    // No settings are no reason to do without the rest.
    const followed = registry && followSettings(manager, registry, trans);
    void followed?.catch(() => undefined);
    void app.started.then(() => manager.refresh());
    return manager;
  },
};

const panel: JupyterFrontEndPlugin<void> = {
  id: `${ID}:panel`,
  description: 'The sidebar.',
  autoStart: true,
  requires: [IManager],
  optional: [ITranslator, ILayoutRestorer],
  activate: (
    app: JupyterFrontEnd,
    manager: IManager,
    translator: ITranslator | null,
    restorer: ILayoutRestorer | null,
  ) => {
    const trans = load(translator);
    const widget = new Frame(trans.__('ModelArts instance'), async () => {
      const [{ Panel }] = await Promise.all([import('./panel/panel'), import('./panel.css')]);
      return new Panel({ ...page, manager, trans });
    });
    widget.title.icon = icon;
    widget.title.caption = NAME;
    app.shell.add(widget, 'right', { rank: 800, type: NAME });
    restorer?.add(widget, PANEL_ID);
  },
};

/** Show the panel, with the focus on one of its fields; say so where it is switched off. */
function reveal({ shell }: JupyterFrontEnd, trans: TranslationBundle, field: Field | null): void {
  shell.activateById(PANEL_ID);
  const widgets = [...shell.widgets('right'), ...shell.widgets('left')];
  const frames = widgets.filter((each) => each instanceof Frame);
  if (frames.length === 0) {
    say(trans.__('The ModelArts panel is switched off.'), false);
  }
  for (const frame of frames) {
    void (field && frame.reveal(field));
  }
}

const commands: JupyterFrontEndPlugin<void> = {
  id: `${ID}:commands`,
  description: 'The commands, in palette and menu.',
  autoStart: true,
  requires: [IManager],
  optional: [ITranslator, ICommandPalette],
  activate: (
    app: JupyterFrontEnd,
    manager: IManager,
    translator: ITranslator | null,
    palette: ICommandPalette | null,
  ) => {
    const trans = load(translator);
    const show = (field: Field | null): void => {
      reveal(app, trans, field);
    };
    addCommands({ commands: app.commands, manager, trans, reveal: show, say });
    const listed = ['extend', 'setAutoStop', 'editDescription', 'refresh', 'showPanel'] as const;
    for (const name of listed) {
      palette?.addItem({ command: COMMANDS[name], category: NAME });
    }
    manager.changed.connect(() => {
      app.commands.notifyCommandChanged(COMMANDS.extend);
    });
  },
};

const status: JupyterFrontEndPlugin<void> = {
  id: `${ID}:status`,
  description: 'The time left, in the status bar or the top bar.',
  autoStart: true,
  requires: [IManager],
  optional: [ITranslator, IStatusBar],
  activate: (
    app: JupyterFrontEnd,
    manager: IManager,
    translator: ITranslator | null,
    bar: IStatusBar | null,
  ) => {
    const trans = load(translator);
    const onClick = (): void => {
      reveal(app, trans, null);
    };
    const item = new StatusItem({ ...page, manager, trans, onClick });
    item.id = 'modelarts-magics-status';
    if (bar) {
      bar.registerStatusItem(`${ID}:status`, { item, align: 'left', rank: 90 });
    } else {
      app.shell.add(item, 'top', { rank: 900 });
    }
  },
};

const reminders: JupyterFrontEndPlugin<void> = {
  id: `${ID}:reminders`,
  description: 'Reminders before the stop.',
  autoStart: true,
  requires: [IManager],
  optional: [ITranslator],
  activate: (app: JupyterFrontEnd, manager: IManager, translator: ITranslator | null) => {
    const options = { manager, trans: load(translator), commands: app.commands };
    void app.restored.then(
      () =>
        new Reminders({
          ...page,
          ...{ manager, visible, claim },
          show: (reminder) => showReminder(options, reminder),
        }),
    );
  },
};

const saver: JupyterFrontEndPlugin<void> = {
  id: `${ID}:saver`,
  description: 'Saves documents before the stop.',
  autoStart: true,
  requires: [IManager, IDocumentManager],
  optional: [ITranslator],
  activate: (
    app: JupyterFrontEnd,
    manager: IManager,
    documents: IDocumentManager,
    translator: ITranslator | null,
  ) => {
    const trans = load(translator);
    const made = new Saver({
      ...{ ...page, manager, exclusive },
      dirty: () => dirtyDocuments(app.shell, documents),
    });
    addSaveAll({ commands: app.commands, manager, trans, say }, () => made.saveAll());
  },
};

/** All plugins. */
export const plugins = [manager_, panel, commands, status, reminders, saver];
