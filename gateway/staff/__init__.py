"""Staff: the people of Pusdatin who administer the gateway, how they prove who they are, what each may do.

Nothing here is about consumers (`gateway.oauth`): a consumer never becomes staff, nor the other way round.
"""
