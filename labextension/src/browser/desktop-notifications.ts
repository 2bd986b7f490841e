/** Notifications of the browser, which are seen while another window is in front. */

/** Whether notifications can be shown. */
export enum DesktopPermission {
  /** They are shown. */
  Granted,
  /** The user or the browser has refused them. */
  Denied,
  /** The browser has none, or not for a page without TLS. */
  Missing,
}

/** The part of the browser's `Notification` that is used. */
export interface NotificationApi {
  new (title: string, options: { readonly body: string; readonly tag: string }): { close(): void };
  /** `granted`, `denied`, or `default` before the user was asked. */
  readonly permission: string;
  /** Ask the user; returns the permission. */
  requestPermission(): Promise<string>;
}

/** The notifications of this browser. */
export interface DesktopNotifications {
  /** Whether they are turned on, and permitted. */
  readonly isOn: boolean;
  /** Turn them on; asks for the permission, so it is called on a click only. */
  turnOn(): Promise<DesktopPermission>;
  /** Turn them off. */
  turnOff(): void;
  /** Show one if they are on; returns the function that takes it back. */
  show(title: string, body: string): () => void;
}

const STORAGE_KEY = 'modelarts-magics:browser-notifications';
/** A new notification of this tag replaces the one before. */
const TAG = 'modelarts-magics';

/**
 * Create the notifications.
 *
 * @param api - the browser's `Notification`; `undefined` where there is none
 * @param storage - remembers that they are on, for all tabs
 */
export function createDesktopNotifications(
  api: NotificationApi | undefined,
  storage: Pick<Storage, 'getItem' | 'setItem' | 'removeItem'>,
): DesktopNotifications {
  const isOn = (): boolean => api?.permission === 'granted' && read(storage) !== null;
  return {
    get isOn() {
      return isOn();
    },
    async turnOn() {
      if (api === undefined) {
        return DesktopPermission.Missing;
      }
      if ((await api.requestPermission()) !== 'granted') {
        return DesktopPermission.Denied;
      }
      storage.setItem(STORAGE_KEY, '1');
      return DesktopPermission.Granted;
    },
    turnOff() {
      storage.removeItem(STORAGE_KEY);
    },
    show(title, body) {
      if (api === undefined || !isOn()) {
        return () => undefined;
      }
      const shown = new api(title, { body, tag: TAG });
      return () => {
        shown.close();
      };
    },
  };
}

/** Return the notifications of this page's browser. */
export function desktopNotifications(): DesktopNotifications {
  // Browsers offer them to pages with TLS, and on this machine, only.
  const api = window.isSecureContext
    ? (window as { readonly Notification?: NotificationApi }).Notification
    : undefined;
  return createDesktopNotifications(api, window.localStorage);
}

function read(storage: Pick<Storage, 'getItem'>): string | null {
  try {
    return storage.getItem(STORAGE_KEY);
  } catch {
    return null;
  }
}
