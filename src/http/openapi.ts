import swagger, { type SwaggerTransformObject } from '@fastify/swagger'
import swaggerUi from '@fastify/swagger-ui'
import type { FastifyInstance } from 'fastify'
import { jsonSchemaTransform, jsonSchemaTransformObject } from 'fastify-type-provider-zod'

/** Serves what the routes say of themselves: `/openapi.json`, and as a page at `/docs`. Comes before the routes. */
export async function describe(app: FastifyInstance, version: string): Promise<void> {
  await app.register(swagger, {
    openapi: {
      openapi: '3.1.0',
      info: { title: 'Rowmill', version, description: 'CSV files in, trustworthy results out.' },
    },
    transform: jsonSchemaTransform,
    transformObject: (document) => onlyUsed(jsonSchemaTransformObject(document)),
  })
  await app.register(swaggerUi, {
    routePrefix: '/docs',
    // Without the bar of the page's maker: there is one document, and nothing to explore besides.
    theme: {
      title: 'Rowmill API',
      css: [{ filename: 'rowmill.css', content: '.swagger-ui .topbar { display: none }' }],
    },
    uiConfig: { validatorUrl: null },
    // The page loads nothing from elsewhere, and could not.
    staticCSP: "default-src 'self'; img-src 'self' data:; style-src 'self' 'unsafe-inline'; frame-ancestors 'none'",
  })
  app.get('/openapi.json', { schema: { hide: true } }, () => app.swagger())
}

/** The transform lists each schema twice, as it comes in and as it goes out; few are ever referred to as both. */
function onlyUsed(document: ReturnType<SwaggerTransformObject>): ReturnType<SwaggerTransformObject> {
  const schemas = 'components' in document ? document.components?.schemas : undefined
  const text = JSON.stringify(document)
  for (const name of Object.keys(schemas ?? {})) {
    if (!text.includes(`"#/components/schemas/${name}"`)) delete schemas?.[name]
  }
  return document
}
