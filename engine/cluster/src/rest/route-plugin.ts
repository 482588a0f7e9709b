/** What route files have in common: their types, and the role that each route declares. */
import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox';
import type { Role } from './access.js';
import type { RouteOptions } from './rest-options.js';

declare module 'fastify' {
  interface FastifyContextConfig {
    /** Who may call the route. 'anybody': also without a token. Not set: admins. */
    readonly role?: Role | 'anybody';
  }
}

/** The routes of one kind of resource. */
export type RoutePlugin = FastifyPluginAsyncTypebox<RouteOptions>;

export const READ: { readonly role: 'read' } = { role: 'read' };
export const SUBMIT: { readonly role: 'submit' } = { role: 'submit' };
export const ADMIN: { readonly role: 'admin' } = { role: 'admin' };
export const ANYBODY: { readonly role: 'anybody' } = { role: 'anybody' };
