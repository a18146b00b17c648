import { createElement, type ComponentChildren } from "preact";

interface Updating {
  shouldComponentUpdate?: (next: object) => boolean;
}

/** The component, drawn again only when a property is another one or a signal that it reads has changed. */
export function still<P extends object>(component: (props: P) => ComponentChildren): (props: P) => ComponentChildren {
  return function Still(this: Updating, props: P) {
    this.shouldComponentUpdate = (next) => differs(props, next as P);
    return createElement(component as (props: P) => preact.VNode, props);
  } as (props: P) => ComponentChildren;
}

function differs<P extends object>(one: P, other: P): boolean {
  const keys = Object.keys(other) as (keyof P)[];
  return keys.length !== Object.keys(one).length || keys.some((key) => one[key] !== other[key]);
}
