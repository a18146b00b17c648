// What the browser keeps, for good or until the tab closes. Where it forbids that or has no room, the page
// keeps the value itself, as long as it is open.

interface Store {
  get: (key: string) => string | null;
  set: (key: string, value: string) => void;
  remove: (key: string) => void;
}

/** `of` is asked each time, since naming a storage that is forbidden throws. */
function guarded(of: () => Storage): Store {
  const own = new Map<string, string>();
  return {
    get: (key) => own.get(key) ?? attempt(() => of().getItem(key)),
    set: (key, value) => {
      own.set(key, value);
      attempt(() => {
        of().setItem(key, value);
        own.delete(key);
      });
    },
    remove: (key) => {
      own.delete(key);
      attempt(() => of().removeItem(key));
    },
  };
}

function attempt<T>(act: () => T): T | null {
  try {
    return act();
  } catch {
    return null;
  }
}

export const forGood = guarded(() => localStorage);
export const forTab = guarded(() => sessionStorage);
