"""Real documents of OpenAPI: do they import, and does a service that answers by one get what was said?"""
